//! Any list of stored slices against a naive reading of it; and what is believed to be the same content.
#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;

use cosslice::hash::Tally;
use cosslice::protocol::v4::{V4, subject};
use cosslice::protocol::{Answer, Content, Reply, Step, Wire};
use cosslice::resume::{SliceSet, Token, Verdict, judge};
use libfuzzer_sys::fuzz_target;

// The body of a reply to upload_slice_list.
fuzz_target!(|body: &[u8]| {
    let wire = V4::new("1250000000", "bkt", "/a", false, "").unwrap();
    let reply = Reply {
        status: 200,
        request_id: None,
        date: None,
        body: body.to_vec(),
    };
    let Ok(Answer::Standing(standing)) = wire.read(&Step::List { expected: 100 }, &reply) else {
        return;
    };
    let (size, slice_size) = (standing.plan.size, standing.plan.slice_size);
    if size.div_ceil(slice_size) > 2000 {
        return; // slow for the naive one
    }

    // A slice is there when one entry says exactly that.
    let naive: BTreeSet<u64> = (0..size.div_ceil(slice_size))
        .map(|index| index * slice_size)
        .filter(|at| standing.parts.contains(&(*at, slice_size.min(size - at))))
        .collect();
    let set = SliceSet::from_parts(size, slice_size, &standing.parts);
    for at in (0..size.div_ceil(slice_size)).map(|index| index * slice_size) {
        assert_eq!(set.contains(at), naive.contains(&at));
    }
    assert_eq!(
        set.bytes(),
        naive
            .iter()
            .map(|at| slice_size.min(size - at))
            .sum::<u64>()
    );
    let next = (0..size.div_ceil(slice_size))
        .map(|i| i * slice_size)
        .find(|at| !naive.contains(at));
    assert_eq!(set.missing_from(0), next);
    assert_eq!(set.next_offset(), next.unwrap_or(size));
    // The order of entries does not matter.
    let mut reversed = standing.parts.clone();
    reversed.reverse();
    let again = SliceSet::from_parts(size, slice_size, &reversed);
    assert_eq!(
        (again.bytes(), again.missing_from(0)),
        (set.bytes(), set.missing_from(0))
    );

    // What is not proven is never the same.
    let mut tally = Tally::new(slice_size);
    tally.update(b"content");
    let print = tally.finish();
    let digest = print.digest;
    let subject = subject("1250000000", "bkt", "/a");
    let hashed = Content {
        size: print.size,
        fingerprint: Some(Arc::new(print)),
    };
    let blank = Content {
        size,
        fingerprint: None,
    };
    let token = Token::new(&subject, &standing.plan, &[]);
    let mut strange = token.clone();
    strange.session.push('x');
    if let Verdict::Same { stored, .. } = judge(&standing, &hashed, None, &subject) {
        assert_eq!(standing.plan.size, 7);
        assert!(
            standing.plan.declared == Some(digest)
                || (standing.plan.declared.is_none() && stored.bytes() == 0)
        );
    }
    if let Verdict::Same { stored, .. } = judge(&standing, &blank, None, &subject) {
        assert!(stored.bytes() == 0 && standing.plan.declared.is_none());
    }
    // A token vouches for what was fed when it was made: nothing, here.
    match judge(&standing, &blank, Some(&token), &subject) {
        Verdict::Same { stored, .. } => assert_eq!(stored.bytes(), 0),
        Verdict::Other(why) => panic!("{why}"),
    }
    if let Verdict::Same { stored, .. } = judge(&standing, &blank, Some(&strange), &subject) {
        assert!(stored.bytes() == 0 && standing.plan.declared.is_none());
    }
});
