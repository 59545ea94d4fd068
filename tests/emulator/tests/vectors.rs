//! Known answers: signatures (protocol 3.7) and chaining states (protocol 5).

mod common;

use common::{Client, MIB, pattern, sha1, start, start_with, uploadparts};
use cosslice_emulator::digest::{self, datashas, hex};
use cosslice_emulator::sign::sign;
use serde_json::json;

const KEY: &str = "examplesecretkey";
const T: i64 = 1_500_000_000;

const VECTORS: [(&str, &str); 4] = [
    (
        "a=1250000000&k=AKIDEXAMPLE&e=1500000300&t=1500000000&r=1234567890&f=&b=bkt",
        "s4g8BJ/dTXK536Q0L0nOO4G35PZhPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPSZiPWJrdA==",
    ),
    (
        "a=1250000000&b=bkt&k=AKIDEXAMPLE&e=1500000300&t=1500000000&r=1234567890&f=",
        "xkZEEkv3IfhCBJ4JlvAYopOgimthPTEyNTAwMDAwMDAmYj1ia3Qmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPQ==",
    ),
    (
        "a=1250000000&k=AKIDEXAMPLE&e=1500000300&t=1500000000&r=1234567890&f=/1250000000/bkt/dir/a%20b%2B%E4%B8%AD.txt&b=bkt",
        "L5wxXeFStjEfcWlcosIHkCwgeTthPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8xMjUwMDAwMDAwL2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0",
    ),
    (
        "a=1250000000&k=AKIDEXAMPLE&e=0&t=1500000000&r=1234567890&f=/1250000000/bkt/dir/a%20b%2B%E4%B8%AD.txt&b=bkt",
        "fvOTe8VJaT2BSw39uptanercrJ9hPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8xMjUwMDAwMDAwL2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0",
    ),
];

#[test]
fn signatures_are_made_as_documented() {
    for (plaintext, value) in VECTORS {
        assert_eq!(sign(KEY, plaintext), value);
    }
}

#[test]
fn signatures_are_accepted_in_their_time() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let name = "/dir/a b+中.txt";
    let outcome = |client: &mut Client, path: &str, op: &[u8], value: &str| {
        client.signed(path, &[("op", op)], value).outcome()
    };
    // Today they are long expired.
    assert_eq!(
        outcome(&mut client, name, b"stat", VECTORS[0].1),
        (403, -59)
    );
    let skew = T + 300 - common::now();
    server
        .emulator
        .settings(&json!({"clock_skew_s": skew - 20}))
        .unwrap();
    for (_, value) in &VECTORS[..3] {
        assert_eq!(outcome(&mut client, name, b"stat", value), (404, -197));
    }
    // The bound one is good for its own name only.
    assert_eq!(
        outcome(&mut client, "/other", b"stat", VECTORS[2].1),
        (403, -63)
    );
    // The one-time one deletes, once.
    let simple: [(&str, &[u8]); 2] = [("op", b"upload"), ("filecontent", b"x")];
    client.signed(name, &simple, VECTORS[0].1).data();
    assert_eq!(
        outcome(&mut client, name, b"delete", VECTORS[2].1),
        (403, -73)
    );
    assert_eq!(
        outcome(&mut client, name, b"delete", VECTORS[3].1),
        (200, 0)
    );
    assert_eq!(
        outcome(&mut client, name, b"delete", VECTORS[3].1),
        (403, -77)
    );
    server
        .emulator
        .settings(&json!({"clock_skew_s": skew + 20, "expired_code": -96}))
        .unwrap();
    assert_eq!(
        outcome(&mut client, name, b"stat", VECTORS[0].1),
        (403, -96)
    );
}

#[test]
fn each_flaw_of_a_signature_has_its_code() {
    let server = start();
    let mut client = Client::new(server.emulator.port());
    let (t, e) = (common::now(), common::now() + 300);
    let good = format!("a=1250000000&k=AKIDEXAMPLE&e={e}&t={t}&r=7&f=&b=bkt");
    let stat = |client: &mut Client, value: &str| {
        client.signed("/dir/x", &[("op", b"stat")], value).outcome()
    };
    assert_eq!(stat(&mut client, &sign(KEY, &good)), (404, -197));
    let changed = |from: &str, to: &str| sign(KEY, &good.replace(from, to));
    let cases = [
        (String::new(), -81),
        ("%%%".to_owned(), -83),
        ("YWJj".to_owned(), -83),
        (changed("k=AKIDEXAMPLE&", ""), -47),
        (changed("AKIDEXAMPLE", "AKIDOTHER"), -79),
        (sign("wrong key", &good), -97),
        (changed("a=1250000000", "a=1250000001"), -70),
        (changed("b=bkt", "b=other"), -61),
        (changed(&format!("e={e}"), "e="), -74),
        (changed(&format!("e={e}"), "e=0"), -76),
        (changed(&format!("e={e}"), &format!("e={}", t - 1)), -59),
        (changed("f=", "f=/1250000000/bkt/dir2/"), -63),
    ];
    for (value, code) in cases {
        assert_eq!(stat(&mut client, &value), (403, code), "{value}");
    }
    // f is a prefix, encoded or not, of a folder or of the bucket's root; r may have 20 digits.
    for f in [
        "/1250000000/bkt/",
        "/1250000000/bkt/dir/",
        "/1250000000/bkt/d%69r/x",
        "/1250000000/bkt//dir/x",
    ] {
        assert_eq!(
            stat(&mut client, &changed("f=", &format!("f={f}"))),
            (404, -197),
            "{f}"
        );
    }
    assert_eq!(
        stat(&mut client, &changed("r=7", "r=18446744073709551615")),
        (404, -197)
    );
    // Another appid or bucket in the URL.
    let at = |client: &mut Client, place: &str, value: &str| {
        let head = format!(
            "GET /files/v2/{place}/x?op=stat HTTP/1.1\r\nHost: x\r\nAuthorization: {value}"
        );
        client.request(&head, b"").outcome()
    };
    assert_eq!(
        at(
            &mut client,
            "99/bkt",
            &sign(KEY, &good.replace("1250000000", "99"))
        ),
        (403, -82)
    );
    assert_eq!(
        at(&mut client, "1250000000/nope", &changed("b=bkt", "b=nope")),
        (404, -133)
    );
    server
        .emulator
        .settings(&json!({"max_lifetime_s": 100}))
        .unwrap();
    assert_eq!(stat(&mut client, &sign(KEY, &good)), (403, -5999));
}

const A1: &str = "463935c7eea4ca2705d0f481ecedb31f4d0f3a96";
const A2: &str = "657c72d675f1e792607e5c0a7405f66cbdb8c290";
const A3: &str = "c72cf079ae1aabdb935eddd8e951cd85c572042d";
const A4: &str = "4b64438a2a84291379ac6d3fa0f0b1a3e8fd28ea";
const A5_END: &str = "8aff0f4cc8838f12e1fc099b2341d68678eaa38d";
const IV: &str = "0123456789abcdeffedcba9876543210f0e1d2c3";

#[test]
fn chaining_states() {
    let list = |data: &[u8], p| datashas(data, p).iter().map(|d| hex(d)).collect::<Vec<_>>();
    let a = |len, p| list(&pattern(len), p);
    assert_eq!(a(1, MIB), ["5ba93c9db0cff93f52b521d7420e43f6eda2784f"]);
    assert_eq!(a(36864, MIB), ["d4b112d4f6ea0eb455a769e180b66d8782aa90e0"]);
    assert_eq!(
        a(1_048_575, MIB),
        ["36df010095f6ce6255efb0845c915b992d257a02"]
    );
    assert_eq!(a(MIB, MIB), ["c2fc4cb20f1301a6b0dd211c19e69a13925dbe40"]);
    assert_eq!(
        a(1_048_577, MIB),
        [A1, "ffbc30b06f6bd51da52f9640804c9d0c4f6e2af2"]
    );
    assert_eq!(
        a(2_097_152, MIB),
        [A1, "20e1307de838fb67c28577c7ec9d1c6288eb2883"]
    );
    assert_eq!(
        a(2_621_440, MIB),
        [A1, A2, "d08b7e21afb7bc45b7bc7e265d812094252a14ac"]
    );
    assert_eq!(
        a(3_145_728, MIB),
        [A1, A2, "7f8a077d6e3b8fe244a93244dc770173ffdb06c7"]
    );
    assert_eq!(
        a(3_158_073, MIB),
        [A1, A2, A3, "25ad34db1427caefe4c6b84d5a0bb4b0c7134ea1"]
    );
    assert_eq!(
        a(5_242_881, MIB),
        [
            A1,
            A2,
            A3,
            A4,
            "da8f4fecf7f32d1e864043c5e473d34fbcc9605a",
            A5_END
        ]
    );
    assert_eq!(
        list(&vec![0; 2 * MIB], MIB),
        [
            "99c460eef9b1336489cc206bcde3f3a58b5a6466",
            "7d76d48d64d7ac5411d714a4bb83f37e3e5b8df6"
        ]
    );
    let mut x = 1u64;
    let l: Vec<u8> = (0..1_049_576)
        .map(|_| {
            x = (1_103_515_245 * x + 12_345) % (1 << 31);
            u8::try_from(x >> 16 & 0xff).unwrap()
        })
        .collect();
    assert_eq!(
        list(&l, MIB),
        [
            "f26643513cd70659aae68b12e96cc9401da17eb3",
            "aa60158dec2edf21e6928304708c077c45b0e0e7"
        ]
    );
    assert_eq!(
        a(MIB, 524_288),
        [
            "c06e92e6fd857cbc15287b711af2cf4128ccee65",
            "c2fc4cb20f1301a6b0dd211c19e69a13925dbe40"
        ]
    );
    assert_eq!(
        a(1_300_000, 524_288),
        [
            "c06e92e6fd857cbc15287b711af2cf4128ccee65",
            A1,
            "532b57da33a2d72aaf80ffcd2ee4729c71976b61"
        ]
    );
    assert_eq!(
        a(200_000, 65_536),
        [
            "9c2e8e75ce1bad42bae56651feab05703c500543",
            "dd7fb4a35d191219f7b0dfec97bde3fed20f8bc3",
            "43149bc01fffad9212d5be0b03c9d077830197d5",
            "4fa3b414b52f18a8b007acc492540659f310282d"
        ]
    );
    assert_eq!(
        a(196_608, 65_536)[2],
        "c29c7a7c8683e1a34c8f135241264ba9ad37c7c3"
    );
    assert_eq!(
        a(250_000, 100_000),
        [
            "b3bd9404284ddc650b9409acc049ec7ec19f6faf",
            "56636c0357f3d9904dcc712967170d21b514bc34",
            "4d24ad10a3bd233437e4892379e4b383512e4913"
        ]
    );
    assert_eq!(
        a(300_000, 65_537)[3..],
        [
            "15cd64aaad0c2b98fda81d3cba7ec9756e01b0cb",
            "4ec42555f6a50309ccdb22ae377a2759856c0231"
        ]
    );
    let seven = a(100, 7);
    assert_eq!(seven[..9], [IV; 9]);
    assert_eq!(
        seven[9..14],
        ["7b75acb9257929bc7472222e942f8706a156eacb"; 5]
    );
    assert_eq!(seven[14..], [sha1(&pattern(100))]);
    assert_eq!(a(5_242_881, 2 * MIB), [A2, A4, A5_END]);
    assert_eq!(
        a(6_291_456, 3 * MIB),
        [A3, "4603a3bc147309f4f5b8d8e31f4c77d50251d9ff"]
    );
}

#[test]
fn one_slice_is_checked_from_the_state_before_it() {
    for len in [
        64,
        128,
        119,
        120,
        121,
        127,
        1000,
        64 * 1024 + 55,
        64 * 1024 + 56,
    ] {
        let data = pattern(len);
        let states = datashas(&data, 64);
        let last = states.len() - 1;
        let before = if last == 0 {
            digest::INITIAL
        } else {
            digest::from_datasha(&states[last - 1])
        };
        let end = digest::finish(before, &data[last * 64..], len as u64);
        assert_eq!(end, digest::sha1(&data), "{len}");
        assert_eq!(
            digest::to_datasha(before)[..],
            if last == 0 {
                digest::unhex(IV).unwrap()
            } else {
                states[last - 1]
            }
        );
    }
}

#[test]
fn every_slice_is_checked_in_any_order() {
    for (sizes, slice) in [
        (vec![MIB as u64], MIB),
        (vec![65_536], 65_536),
        (vec![100_000], 100_000),
    ] {
        let server = start_with(|c| c.settings.slice_sizes = sizes.clone());
        let mut client = Client::new(server.emulator.port());
        let data = pattern(3 * slice + 12_345);
        let (sha, parts) = (sha1(&data), uploadparts(&data, slice));
        let (size, slice_text) = (data.len().to_string(), slice.to_string());
        let init = client.op(
            "/x",
            &[
                ("op", b"upload_slice_init"),
                ("filesize", size.as_bytes()),
                ("slice_size", slice_text.as_bytes()),
                ("sha", sha.as_bytes()),
                ("uploadparts", parts.as_bytes()),
            ],
        );
        let session = init.data()["session"].as_str().unwrap().to_owned();
        let checked = slice % 64 == 0;
        for i in [3, 1, 0, 2] {
            let right = &data[i * slice..data.len().min((i + 1) * slice)];
            let mut wrong = right.to_vec();
            let middle = wrong.len() / 2;
            wrong[middle] ^= 1;
            if checked {
                assert_eq!(
                    client.slice("/x", &session, i * slice, &wrong).outcome(),
                    (409, -4016),
                    "{slice} {i}"
                );
            }
            client.slice("/x", &session, i * slice, right).data();
            assert_eq!(
                client.slice("/x", &session, i * slice, &wrong).outcome(),
                (409, -4015)
            );
        }
        client.finish("/x", &session, data.len(), Some(&sha)).data();
        assert_eq!(server.emulator.object_bytes("/x").unwrap(), data);
    }
}
