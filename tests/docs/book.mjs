// Opens the built book in a headless Chromium, from the disk and from a server, and the emulator's own page. Closing line: "= P F".

import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "../..");
const book = join(root, "build/docs");
const shots = join(root, "build/docs-shots");
const { chromium } = createRequire(join(root, "build/docs-test/"))("playwright-core");

let passed = 0;
let failed = 0;
function check(what, problems) {
  const list = Array.isArray(problems) ? problems : problems ? [] : ["it does not hold"];
  if (list.length === 0) {
    passed += 1;
    console.log(`ok     docs: ${what}`);
  } else {
    failed += 1;
    console.log(`FAILED docs: ${what}`);
    for (const problem of list.slice(0, 12)) console.log(`       ${problem}`);
  }
}

const work = mkdtempSync(join(tmpdir(), "cosslice-docs-"));
rmSync(shots, { recursive: true, force: true });
mkdirSync(shots, { recursive: true });

const browser = await chromium.launchPersistentContext(join(work, "profile"), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  viewport: { width: 1280, height: 900 },
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** A tab that writes down what it must not do. `origin` is what its requests must begin with. */
async function tab(origin) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error}`));
  page.on("requestfailed", (request) => complaints.push(`${page.url()}: failed: ${request.url()}`));
  const away = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith("data:") && !url.startsWith("about:")) away.push(`${page.url()}: ${url}`);
  });
  return { page, complaints, away };
}

// --- every page, by following the links from the first --------------------------------------------------------------------

const files = readdirSync(book, { recursive: true }).filter((name) => name.endsWith(".html"));
const entry = pathToFileURL(join(book, "index.html")).href;
const seen = new Map(); // address of a page -> what was found there
const wide = await tab(pathToFileURL(book).href);

const queue = [entry];
while (queue.length > 0) {
  const address = queue.shift();
  if (seen.has(address)) continue;
  if (!fileURLToPath(address).endsWith(".html") || !existsSync(fileURLToPath(address))) {
    seen.set(address, { missing: true });
    continue;
  }
  await wide.page.goto(address);
  const found = await wide.page.evaluate(() => ({
    language: document.documentElement.lang,
    title: document.title,
    heading: document.querySelector("article h1")?.innerText.trim() ?? "",
    links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
    ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
    repeated: [...document.querySelectorAll("article [id]")].map((e) => e.id).filter((id, at, all) => all.indexOf(id) !== at),
    emptyCode: [...document.querySelectorAll("article pre code")].filter((e) => e.innerText.trim() === "").length,
    code: [...document.querySelectorAll("article pre code")].map((e) => e.innerText),
    broken: [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).map((image) => image.src),
    leftovers: (document.querySelector("article")?.innerText ?? "").match(/\{\{.*|--8<--.*|\]\(\S*\.md\S*/g) ?? [],
    text: document.querySelector("article")?.innerText ?? "",
  }));
  seen.set(address, found);
  for (const link of found.links) {
    const target = link.split("#")[0];
    if (target.startsWith("file:") && !seen.has(target)) queue.push(target);
  }
}
const pages = [...seen].filter(([, found]) => !found.missing).map(([address, found]) => ({ address, name: relative(book, fileURLToPath(address)), ...found }));
const named = (name) => pages.find((page) => page.name === name);

check(`${pages.length} pages are reached by links`, pages.length > 25);
check("no page is out of reach", files.filter((name) => name !== "404.html" && !named(name)));
check("every link and every anchor leads somewhere", pages.flatMap((page) =>
  page.links.filter((link) => link.startsWith("file:")).flatMap((link) => {
    const [target, anchor] = link.split("#");
    const found = seen.get(target);
    if (!found || found.missing) return [`${page.name}: ${link}`];
    return anchor && !found.ids.includes(decodeURIComponent(anchor)) ? [`${page.name}: no anchor ${link}`] : [];
  })));
check("every other link is to the web, or to the emulator of the examples", pages.flatMap((page) =>
  page.links.filter((link) => !/^(file:|https:|http:\/\/127\.0\.0\.1:9000\/)/.test(link)).map((link) => `${page.name}: ${link}`)));
check("every page has a title and a heading", pages.filter((page) => !page.title || !page.heading).map((page) => page.name));
check("no code block is empty", pages.filter((page) => page.emptyCode > 0).map((page) => page.name));
check("every picture is shown", pages.flatMap((page) => page.broken));
check("no name of an anchor is used twice", pages.flatMap((page) => page.repeated.map((id) => `${page.name}: ${id}`)));
check("nothing of the source shows through", pages.flatMap((page) => page.leftovers.map((text) => `${page.name}: ${text}`)));
check("pages in Chinese say so", pages.filter((page) => page.name.startsWith("zh/") !== (page.language === "zh")).map((page) => page.name));
check("pages in Chinese are in Chinese", pages.filter((page) => page.name.startsWith("zh/") && !/[\u4e00-\u9fff]{8}/.test(page.text)).map((page) => page.name));

// --- the reference, held against the header ---------------------------------------------------------------------------------

const header = readFileSync(join(root, "include/cosslice.h"), "utf8");
const symbols = readFileSync(join(root, "tests/c/symbols.txt"), "utf8").split("\n").filter((line) => /^cosslice_\w+$/.test(line.trim()));
const reference = pages.filter((page) => page.name.startsWith("reference/"));
const anchors = new Set(reference.flatMap((page) => page.ids));
const constants = [...header.matchAll(/^ {4}(COSSLICE_\w+) = (-?\d+),$/gm)].map((found) => ({ name: found[1], number: found[2] }));
const types = [...header.matchAll(/^typedef [^;{]*?\(?\*?(cosslice_\w+)(?=;|\)\()/gm), ...header.matchAll(/^\} (cosslice_\w+);$/gm)].map((found) => found[1]);

check(`every one of ${symbols.length} exported functions is in the reference`, symbols.length < 20 ? ["tests/c/symbols.txt was not understood"] : symbols.filter((name) => !anchors.has(name)));
check(`every one of ${constants.length} constants is in the reference`, constants.length < 80 ? ["the header was not understood"] : constants.filter(({ name }) => !anchors.has(name)).map(({ name }) => name));
check(`every one of ${types.length} types is in the reference`, types.length < 12 ? ["the header was not understood"] : types.filter((name) => !anchors.has(name)));

await wide.page.goto(named("reference/functions.html").address);
const signatures = await wide.page.evaluate(() => Object.fromEntries([...document.querySelectorAll("article h3[id]")].map((heading) => [heading.id, heading.nextElementSibling.innerText])));
const words = (text) => (text.match(/\w+/g) ?? []).filter((word) => word !== "struct" && word !== "COSSLICE_API").join(" ");
check("every function is shown as it is declared", symbols.filter((name) => {
  const declared = header.match(new RegExp(`^COSSLICE_API\\s[^;]*?\\b${name}\\([^;]*;`, "m"))?.[0] ?? "";
  return !declared || words(declared) !== words(signatures[name] ?? "");
}));

await wide.page.goto(named("reference/options.html").address);
const options = await wide.page.evaluate(() => [...document.querySelector("article table").rows].slice(1).map((row) => [...row.cells].map((cell) => cell.innerText.trim())));
// The table in the source, from which the library itself takes ranges and defaults.
const source = readFileSync(join(root, "src/config.rs"), "utf8");
const value = (text) => {
  const known = text.trim().replace(/_(?=\d)/g, "");
  const constant = source.match(new RegExp(`const ${known}: u64 = ([^;]+);`));
  const [base, shift] = (constant ? constant[1] : known).replace(/_(?=\d)/g, "").split("<<");
  return Number(base) * 2 ** Number(shift ?? 0);
};
const numbers = [...source.matchAll(/number\(\s*Opt::\w+,\s*"(\w+)",\s*([^,]+),\s*([^,]+),\s*([^,)]+),?\s*\)/g)];
check(`range and default of ${numbers.length} options are those of the library`, numbers.length < 10 ? ["src/config.rs was not understood"] : numbers.flatMap(([, name, least, most, initial]) => {
  const row = options.find((cells) => cells[0] === name);
  if (!row) return [`${name} is not in the table`];
  const bounds = row[3].match(/\d+/g).map(Number);
  const same = bounds[0] === value(least) && bounds.at(-1) === value(most) && Number(row[4]) === value(initial);
  return same ? [] : [`${name}: ${row[3]}, default ${row[4]}; in the source ${value(least)} to ${value(most)}, default ${value(initial)}`];
}));
check("every option is in the table, by its number", constants.filter(({ name, number }) =>
  name.startsWith("COSSLICE_OPT_") && !options.some((cells) => `COSSLICE_OPT_${cells[0]}` === name && cells[1] === number)).map(({ name }) => name));

const postcard = readFileSync(join(root, "bindings/c/postcard.c"), "utf8");
check("the postcard in the book is the file", ["start/c.html", "zh/c.html"].filter((name) => {
  const shown = named(name).code.map((text) => text.trim()).find((text) => text.includes("int main("));
  return !shown || shown.length < 1000 || !postcard.trim().endsWith(shown);
}));

// Names in prose are not included from anywhere, so they are looked up where they come from.
const spoken = pages.flatMap((page) => [...new Set(page.text.match(/\bcosslice_[a-z0-9_]+(?=\(|\b)|\bCOSSLICE_(?:OPT|E|INFO|PHASE|LOG|SIGN)_[A-Z0-9_]+/g))].map((name) => [page.name, name]));
const others = new Set(["cosslice_jni", "cosslice_put"]);
check("every C name in the book is in the header", spoken.filter(([, name]) => !others.has(name) && !new RegExp(`\\b${name}\\b`).test(header)).map(([page, name]) => `${page}: ${name}`));
const java = "bindings/android/src/main/java/com/cosslice";
for (const [page, pattern, file, declared] of [
  ["moving/cpp.html", /opt::(\w+)/g, "bindings/cpp/cosslice.hpp", (name) => ` ${name}{COSSLICE_OPT_`],
  ["moving/cpp.html", /overwrite_mode::(\w+)/g, "bindings/cpp/cosslice.hpp", (name) => `    ${name} = `],
  ["moving/python.html", /cosslice\.([A-Za-z]\w+)/g, "bindings/python/cosslice/__init__.py", (name) => `"${name}"`],
  ["moving/python.html", /Overwrite\.(\w+)/g, "bindings/python/cosslice/_constants.py", (name) => `    ${name} = `],
  ["moving/js.html", /upload\.(\w+)\(/g, "bindings/node/upload.mjs", (name) => ` ${name}(`],
  ["moving/java.html", /Overwrite\.(\w+)/g, `${java}/Overwrite.java`, (name) => `    ${name}(`],
  ["moving/java.html", /\b([a-z]\w+)\(…\)/g, `${java}/Config.java`, (name) => `Builder ${name}(`],
  ["moving/java.html", /upload\.(\w+)\(/g, `${java}/Upload.java`, (name) => ` ${name}(`],
  ["moving/android.html", /upload\.(\w+)\(/g, `${java}/Upload.java`, (name) => ` ${name}(`],
  ["moving/android.html", /\b(get(?:Server|Request)\w+)\(\)/g, `${java}/CossliceException.java`, (name) => ` ${name}()`],
]) {
  const text = readFileSync(join(root, file), "utf8");
  const used = [...new Set([...named(page).text.matchAll(pattern)].map((found) => found[1]))];
  check(`${page}: ${used.length} names are those of ${file}`, used.length === 0 ? [`nothing like ${pattern}`] : used.filter((name) => !text.includes(declared(name))));
}

// --- how it looks: light, dark, and on a phone ----------------------------------------------------------------------------------

const look = () => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("article p, article li, article td, article h1, article h2, article h3, article a, article code, article small, .md-nav__link, .md-tabs__link")) {
    if (!element.innerText?.trim() || !element.checkVisibility()) continue;
    const back = behind(element);
    const color = rgb(getComputedStyle(element).color);
    const front = color.slice(0, 3).map((c, at) => (c * color[3] + back[at] * (255 - color[3])) / 255);
    const [a, b] = [light(front), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5 && !element.closest(".headerlink, .md-tabs")) faint.push(`${ratio.toFixed(1)} ${element.tagName} ${element.innerText.trim().slice(0, 40)}`);
  }
  const tooWide = document.documentElement.scrollWidth > window.innerWidth;
  const sticksOut = tooWide
    ? [...document.querySelectorAll("article *")].filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1 && !e.closest("pre, .md-typeset__scrollwrap")).slice(0, 3).map((e) => e.outerHTML.slice(0, 90))
    : [];
  return { back: light(behind(document.body)), faint, tooWide, sticksOut };
};
for (const [name, scheme, width, height] of [["light", "light", 1280, 900], ["dark", "dark", 1280, 900], ["phone", "light", 390, 844], ["phone-dark", "dark", 320, 640]]) {
  await wide.page.emulateMedia({ colorScheme: scheme });
  await wide.page.setViewportSize({ width, height });
  const overflowing = [], faint = [], wrongBack = [];
  for (const page of pages) {
    await wide.page.goto(page.address);
    const found = await wide.page.evaluate(look);
    if (found.tooWide) overflowing.push(`${page.name} ${found.sticksOut.join(" ")}`);
    faint.push(...found.faint.map((text) => `${page.name}: ${text}`));
    if (scheme === "dark" ? found.back > 0.1 : found.back < 0.8) wrongBack.push(page.name);
    await wide.page.screenshot({ path: join(shots, `${page.name.replace(/\.html$/, "").replaceAll("/", "-")}-${name}.png`) });
  }
  check(`${name}: nothing is wider than ${width} pixels`, overflowing);
  check(`${name}: text stands out from what is behind it (4.5 to 1)`, faint);
  check(`${name}: the page is ${scheme}`, wrongBack);
}
await wide.page.emulateMedia({ colorScheme: "light" });
await wide.page.setViewportSize({ width: 390, height: 844 });
await wide.page.goto(entry);
await wide.page.locator(".md-header label[for=__drawer]").click();
await wide.page.locator(".md-nav--primary").getByText("Reference", { exact: true }).first().waitFor({ state: "visible", timeout: 10_000 });
await wide.page.waitForFunction(() => document.querySelector(".md-sidebar--primary").getBoundingClientRect().left >= 0, null, { timeout: 10_000 });
await wide.page.screenshot({ path: join(shots, "drawer-phone.png") });
check("phone: the menu opens", true);

await wide.page.setViewportSize({ width: 1280, height: 900 });
await wide.page.goto(entry);
const scheme = () => wide.page.evaluate(() => document.body.getAttribute("data-md-color-scheme"));
const schemes = new Set([await scheme()]);
for (let click = 0; click < 3; click += 1) {
  await wide.page.locator("[data-md-component=palette] label:not([hidden])").click();
  schemes.add(await scheme());
}
check("the switch in the head changes between light and dark", schemes.has("default") && schemes.has("slate"));
await wide.page.evaluate(() => localStorage.clear());

// --- search ---------------------------------------------------------------------------------------------------------------------

async function search(page, words) {
  const query = page.locator("[data-md-component=search-query]");
  await query.click();
    await query.fill(words);
  await query.press("End"); // the search listens to keys, of which filling in has none
  await page.waitForFunction(() => document.querySelectorAll(".md-search-result__link").length > 0, null, { timeout: 20_000 }).catch(() => {});
  return page.evaluate(() => [...document.querySelectorAll(".md-search-result__link")].map((a) => a.href));
}
const sought = [["bandwidth", "/reference/options.html"], ["emulator faults", "/emulator.html"], ["E_CONFLICT", "/failures.html"], ["断点续传", "/zh/resume.html"]];
async function searches(where, address, page) {
  const problems = [];
  for (const [words, expected] of sought) {
    await page.goto(address);
    const found = await search(page, words);
    if (!found.some((link) => link.includes(expected))) problems.push(`"${words}" does not find ${expected}, but ${found.length} others: ${found.slice(0, 3).join(" ")}`);
  }
  check(`search works ${where}`, problems);
}
await searches("from the disk", entry, wide.page);
await wide.page.screenshot({ path: join(shots, "search-light.png") });
check("from the disk: no complaint in any console", wide.complaints);
check("from the disk: nothing is asked of a network", wide.away);

const kinds = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json" };
const server = createServer((request, response) => {
  const name = join(book, decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  if (!name.startsWith(book) || !existsSync(name) || !extname(name)) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": kinds[extname(name)] ?? "application/octet-stream" }).end(readFileSync(name));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}/`;
const served = await tab(origin);
await searches("from a server", `${origin}index.html`, served.page);
for (const page of pages) await served.page.goto(origin + page.name);
check("from a server: no complaint in any console", served.complaints);
check("from a server: nothing is asked of another host", served.away);
await served.page.close();
server.close();

// --- the emulator's own page --------------------------------------------------------------------------------------------------------

const emulator = spawn(process.env.COSSLICE_EMULATOR ?? join(root, "build/bin/cosslice-emulator"), ["--data", join(work, "data")], { stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => emulator.kill("SIGKILL")); // also when this ends by an error
const listening = await new Promise((done, refuse) => {
  let text = "";
  emulator.stdout.on("data", (piece) => {
    text += piece;
    const found = text.match(/listens on (127\.0\.0\.1:\d+)/);
    if (found) done(found[1]);
  });
  emulator.on("error", refuse);
  emulator.on("exit", (code) => refuse(new Error(`the emulator ended with ${code}`)));
}).catch((error) => error);
if (listening instanceof Error) {
  check("the emulator starts", [String(listening)]);
} else {
  const host = `http://${listening}`;
  const put = (name, ...flags) => {
    writeFileSync(join(work, "content"), Buffer.alloc(3_500_000, name));
    return spawnSync(join(process.env.COSSLICE_BIN ?? join(root, "build/bin"), "cosslice-put"), ["--quiet", ...flags, join(work, "content"), `bkt/${name}`], {
      timeout: 60_000,
      encoding: "utf8",
      env: { ...process.env, COSSLICE_ENDPOINT: `${host}/files/v2`, COSSLICE_APP_ID: "1250000000", COSSLICE_SECRET_ID: "AKIDEXAMPLE", COSSLICE_SECRET_KEY: "examplesecretkey" },
    });
  };
  const page = await tab(host);
  const whole = put("whole.bin");
  // Refused for good at its third slice: the upload stays open.
  await fetch(`${host}/_emulator/faults`, { method: "POST", body: JSON.stringify([{ op: "upload_slice_data", offset: 2 << 20, do: "code", code: -5999, status: 400 }]) });
  const open = put("open & unfinished.bin", "--in-flight", "1");
  check("there is something for the emulator to show", whole.status === 0 && open.status !== 0 ? [] : [whole.stderr, `the second ended with ${open.status}`]);
  await page.page.goto(host);
  const shown = await page.page.evaluate(() => ({ text: document.body.innerText, cells: document.querySelectorAll(".map i").length, done: document.querySelectorAll(".map i.d").length }));
  check("the emulator's page shows the object, the open upload and its slices", [
    ...["/whole.bin", "/open & unfinished.bin"].filter((name) => !shown.text.includes(name)),
    ...(shown.cells === 4 && shown.done === 2 ? [] : [`${shown.done} of ${shown.cells} slices are marked as done`]),
  ]);
  await fetch(`${host}/_emulator/faults`, { method: "POST", body: "[]" });
  put("later.bin");
  const refreshed = await page.page.waitForFunction(() => document.body.innerText.includes("/later.bin"), null, { timeout: 20_000 }).then(() => true, () => false);
  check("the emulator's page refreshes itself", refreshed);
  for (const [name, colorScheme, width] of [["light", "light", 1280], ["dark", "dark", 1280], ["phone", "light", 390]]) {
    await page.page.emulateMedia({ colorScheme });
    await page.page.setViewportSize({ width, height: 800 });
    await page.page.goto(host);
    await page.page.screenshot({ path: join(shots, `emulator-page-${name}.png`) });
    check(`the emulator's page, ${name}: nothing is wider than ${width} pixels`, await page.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  }
  check("the emulator's page: no complaint in its console", page.complaints);
  check("the emulator's page: nothing is asked of another host", page.away);
  await page.page.close();
  const ended = new Promise((done) => emulator.on("exit", done));
  emulator.kill("SIGTERM");
  check("the emulator ends when it is told to", (await ended) === 0);
}

await browser.close();
rmSync(work, { recursive: true, force: true });
console.log(`= ${passed} ${failed}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
