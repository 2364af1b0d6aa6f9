/* A table that sorts by any column and hides the rows that a test leaves out. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/* columns: title, help, style, key (what sorts; a text or a number), cell (a node or a text; the key's text if there is none). */
function makeTable(caption, columns, entries) {
  const body = element("tbody");
  const PORTION = 100;
  const made = new Map();
  let order = entries, wanted = () => true, shown = [], drawn = 0;

  function row(entry) {
    if (!made.has(entry)) {
      const cells = columns.map(column => {
        const cell = element("td", column.style ? { class: column.style } : {});
        cell.append(column.cell ? column.cell(entry) : typeof column.key(entry) === "string" ? column.key(entry) : Chart.text(column.shown(entry)));
        return cell;
      });
      made.set(entry, element("tr", {}, ...cells));
    }
    return made.get(entry);
  }

  function more(count) {
    body.append(...shown.slice(drawn, drawn + count).map(row));
    drawn = Math.min(shown.length, drawn + count);
  }

  function draw() {
    shown = order.filter(wanted);
    drawn = 0;
    body.replaceChildren();
    more(PORTION);
  }

  const heads = columns.map((column, i) => {
    const attributes = { scope: "col" };
    if (column.style) attributes.class = column.style;
    if (column.help) attributes.title = column.help;
    return element("th", attributes, element("button", { type: "button", onclick: () => sort(i) }, column.title));
  });

  function sort(i) {
    const isDown = heads[i].getAttribute("aria-sort") === "ascending";
    heads.forEach(head => head.removeAttribute("aria-sort"));
    heads[i].setAttribute("aria-sort", isDown ? "descending" : "ascending");
    const compare = (a, b) => typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a < b ? -1 : a > b ? 1 : 0;
    const isMissing = at => typeof at === "number" && Number.isNaN(at);
    /* What is missing comes last, whichever way the column is sorted. */
    order = [...order].sort((one, other) => {
      const a = columns[i].key(one), b = columns[i].key(other);
      if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
      return isDown ? compare(b, a) : compare(a, b);
    });
    draw();
  }

  const end = element("div", { class: "end" });
  const node = element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    element("table", { "aria-rowcount": entries.length + 1 }, element("thead", {}, element("tr", {}, ...heads)), body), end);
  /* The rest of a long table is made when its end comes near, or all of it for paper. */
  new IntersectionObserver(seen => { if (seen.some(one => one.isIntersecting)) more(PORTION); }, { root: node, rootMargin: "0px 0px 800px 0px" }).observe(end);
  node.addEventListener("scroll", () => { if (node.scrollTop + 2 * node.clientHeight > node.scrollHeight) more(PORTION); });
  addEventListener("beforeprint", () => more(shown.length));
  draw();

  return {
    node,
    sort,
    /* The entries that the filter leaves, in the order of the table. */
    shown: () => shown,
    filter(test) {
      wanted = test;
      draw();
      return shown.length;
    },
  };
}

/* A column of numbers. */
function numeric(title, name, help, style = "") {
  return { title, help, style: `n ${style}`.trim(), key: entry => Chart.value(entry[name]), shown: entry => entry[name] };
}
