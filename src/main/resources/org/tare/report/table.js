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
  const rows = entries.map(entry => {
    const row = element("tr");
    for (const column of columns) {
      const cell = element("td", column.style ? { class: column.style } : {});
      cell.append(column.cell ? column.cell(entry) : typeof column.key(entry) === "string" ? column.key(entry) : Chart.text(column.shown(entry)));
      row.append(cell);
    }
    return { entry, row };
  });
  body.append(...rows.map(one => one.row));
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
    const order = (a, b) => typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a < b ? -1 : a > b ? 1 : 0;
    const isMissing = at => typeof at === "number" && Number.isNaN(at);
    /* What is missing comes last, whichever way the column is sorted. */
    rows.sort((one, other) => {
      const a = columns[i].key(one.entry), b = columns[i].key(other.entry);
      if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
      return isDown ? order(b, a) : order(a, b);
    });
    body.append(...rows.map(one => one.row));
  }

  return {
    node: element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
      element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body)),
    sort,
    /* The entries on the page, in the order of the page. */
    shown: () => rows.filter(one => !one.row.hidden).map(one => one.entry),
    filter(test) {
      let count = 0;
      for (const one of rows) {
        const isShown = test(one.entry);
        one.row.hidden = !isShown;
        count += isShown;
      }
      return count;
    },
  };
}

/* A column of numbers. */
function numeric(title, name, help, style = "") {
  return { title, help, style: `n ${style}`.trim(), key: entry => Chart.value(entry[name]), shown: entry => entry[name] };
}
