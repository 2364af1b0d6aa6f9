// page.mjs FOLDER CHROMIUM: see deploy/page. Ends with status 1 at the first thing that is not as it should be.
import puppeteer from "puppeteer-core";

const [folder, executablePath] = process.argv.slice(2);
const LIMIT = Number(process.env.TARE_OPEN_LIMIT ?? 2000); // ms for 2,000 tensors
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox"], headless: true });
const page = await browser.newPage();
const complaints = [];
page.on("console", message => complaints.push(`console: ${message.text()}`));
page.on("pageerror", error => complaints.push(`error: ${error.message}`));
page.on("request", request => {
  if (!/^(file|data):/.test(request.url())) complaints.push(`request: ${request.url()}`);
});

function check(isSo, what) {
  console.log(`${isSo ? "ok  " : "FAIL"} ${what}`);
  if (!isSo) process.exitCode = 1;
}

async function open(tensors) {
  const begun = Date.now();
  await page.goto(`file://${folder}/report-${tensors}.html`);
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
  return Date.now() - begun;
}

const shot = (name, fullPage = false) => page.screenshot({ path: `${folder}/${name}.png`, fullPage });
const count = selector => page.$$eval(selector, all => all.filter(one => one.offsetParent !== null).length);
const first = () => page.$eval("#activations tbody tr .name", cell => cell.textContent);

await page.setViewport({ width: 1280, height: 900 });
await open(30);
check((await page.title()) === "Quantization of <a&b>.onnx", "no name became a script");
for (const id of ["layers", "sensitivity", "front", "losses", "activations", "weights", "float-nodes", "origin", "settings"]) {
  check((await page.$(`#${id}`)) !== null, `section ${id}`);
}
check((await count("#activations tbody tr")) === 30, "a row for each tensor");
check((await count("#activations tbody svg")) === 22, "a picture of each that is not constant");
await shot("light", true);

await page.type("#activations input[type=search]", "gelu");
check((await count("#activations tbody tr")) === 4, "search");
await page.$eval("#activations input[type=search]", box => { box.value = ""; box.dispatchEvent(new Event("input")); });
await page.select("#activations select", "Conv");
check((await count("#activations tbody tr")) === 5, "filter by operator");
await page.select("#activations select", "");
await page.select("#activations label:nth-of-type(3) select", "NaN or infinite");
check((await count("#activations tbody tr")) === 3, "filter by state");
await page.select("#activations label:nth-of-type(3) select", "");
const heads = await page.$$("#activations thead button");
for (const head of heads) await head.click();
check((await page.$eval("#activations th:last-child", head => head.getAttribute("aria-sort"))) === "ascending", "sorts by any column");
await heads[1].click();
const ascending = await first();
await heads[1].click();
check((await first()) !== ascending, "sorts the other way");
await heads[0].click();

await page.focus("#activations tbody tr:nth-child(6) .open");
await page.keyboard.press("Enter");
check(await page.$eval("dialog[open] h2", title => title.textContent.includes("Gelu_5")), "the keyboard opens a tensor");
check((await count("dialog[open] tbody input[type=checkbox]")) === 5, "the ranges of five methods");
check((await page.$$("dialog[open] svg.chart .mark")).length === 10, "two lines a method");
await shot("tensor");
await page.click("dialog[open] input[name=x][value=log]");
await page.click("dialog[open] input[name=y][value=log]");
check((await page.$$("dialog[open] svg.chart .mark")).length === 10, "log axes");
await page.click("dialog[open] tbody input[type=checkbox]");
check((await page.$$("dialog[open] svg.chart .mark")).length === 8, "a method can be hidden");
await shot("tensor-log");
await page.focus("dialog[open] header button:nth-of-type(2)");
await page.keyboard.press("Enter");
check(await page.$eval("dialog[open] h2", title => !title.textContent.includes("Gelu_5")), "the next tensor");
await page.keyboard.press("Escape");
check((await page.$("dialog[open]")) === null, "Escape closes it");
await page.click("#weights tbody .open");
check((await page.$("dialog[open] svg.chart")) !== null, "a weight shows its channels");
await shot("weight");
await page.keyboard.press("Escape");
await page.$eval("#layers svg.chart", chart => chart.focus());
await page.keyboard.press("ArrowRight");
await page.keyboard.press("ArrowRight");
check(await page.$eval("#layers > output", told => told.textContent.startsWith("2. ")), "arrow keys walk along the layers");

await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
await shot("dark", true);
await page.click("#activations tbody tr:nth-child(8) .open");
await shot("dark-tensor");
await page.keyboard.press("Escape");
await page.emulateMediaFeatures([]);
await page.setViewport({ width: 390, height: 844 });
await open(30);
check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "narrow: nothing sticks out");
await shot("narrow", true);
await page.setViewport({ width: 1280, height: 900 });
await page.pdf({ path: `${folder}/print.pdf`, format: "A4", landscape: true });

const times = [];
for (let i = 0; i < 3; i++) times.push(await open(2000));
check(Math.min(...times) < LIMIT, `2,000 tensors opened in ${times.join(", ")} ms`);
check((await page.$eval("#activations output", told => told.textContent)) === "2000 of 2000", "all are in the table");
await page.type("#activations input[type=search]", "Conv_1995_");
check((await count("#activations tbody tr")) === 1, "search finds one that is not on the page yet");
check(complaints.length === 0, `nothing in the console, nothing asked of the network ${complaints.join("; ")}`);
await browser.close();
