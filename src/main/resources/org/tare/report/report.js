/* The sections of the report. Names come from models: they are put into the page as text only. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("sections");
  const { text, value } = Chart;
  const nav = element("nav", { "aria-label": "Sections" });
  page.append(nav);

  function section(id, title, explanation) {
    const made = element("section", { id }, element("h2", {}, title));
    if (explanation) made.append(element("p", {}, explanation));
    page.append(made);
    nav.append(element("a", { href: `#${id}` }, title));
    return made;
  }

  function choice(title, values) {
    const select = element("select", {}, element("option", { value: "" }, "all"));
    values.forEach(one => select.append(element("option", { value: one }, one)));
    return { select, label: element("label", {}, title, select) };
  }

  /* Search and filters over a table. filters: title, and the values that an entry has of it. */
  function tools(table, entries, filters) {
    const search = element("input", { type: "search", placeholder: "part of a name" });
    const count = element("output", { class: "quiet" });
    const choices = filters.map(filter => {
      const found = [...new Set(entries.flatMap(filter.of))].sort();
      return { ...filter, ...choice(filter.title, found) };
    });
    const apply = () => {
      const wanted = search.value.trim().toLowerCase();
      const shown = table.filter(entry => (entry.name + " " + (entry.op ?? "")).toLowerCase().includes(wanted)
        && choices.every(one => one.select.value === "" || one.of(entry).includes(one.select.value)));
      count.textContent = `${shown} of ${entries.length}`;
    };
    search.addEventListener("input", apply);
    choices.forEach(one => one.select.addEventListener("change", apply));
    apply();
    return element("div", { class: "tools" }, element("label", {}, "Search", search), ...choices.map(one => one.label), count);
  }

  function opener(entry, open) {
    return element("button", { type: "button", class: "open", onclick: () => open(entry) }, entry.name);
  }

  function facts(pairs) {
    const body = element("tbody");
    for (const [name, content] of pairs) body.append(element("tr", {}, element("td", {}, name), element("td", {}, content)));
    return element("table", { class: "facts" }, body);
  }

  /* One entry large, with the way to its neighbours in the table. */
  function viewer(table, fill) {
    const title = element("h2"), content = element("div");
    const dialog = element("dialog", {});
    let current = null;
    const step = by => {
      const shown = table().shown();
      const next = shown[shown.indexOf(current) + by];
      if (next) show(next);
    };
    const show = entry => {
      current = entry;
      title.textContent = entry.name;
      dialog.setAttribute("aria-label", entry.name);
      content.replaceChildren(...fill(entry, () => show(entry)));
    };
    dialog.append(element("header", {}, title,
      element("button", { type: "button", onclick: () => step(-1) }, "Previous"),
      element("button", { type: "button", onclick: () => step(1) }, "Next"),
      element("button", { type: "button", onclick: () => dialog.close() }, "Close")), content);
    dialog.addEventListener("keydown", event => {
      if (event.target.matches("input, select")) return;
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
    document.body.append(dialog);
    return entry => { show(entry); if (!dialog.open) dialog.showModal(); };
  }

  function radios(name, title, options, chosen, change) {
    const set = element("fieldset", {}, element("legend", { class: "quiet" }, title));
    for (const option of options) {
      const input = element("input", { type: "radio", name, value: option });
      input.checked = option === chosen;
      input.addEventListener("change", () => change(option));
      set.append(element("label", {}, input, " " + option));
    }
    return set;
  }

  const percent = share => typeof share === "number" ? `${text(100 * share, 3)} %` : "–";

  /* ---- Activations ---- */
  const DASHES = ["8 4", "2 3", "8 3 2 3", "14 4", "4 4", "1 4"];
  const view = { x: "linear", y: "linear", hidden: new Set() };

  function states(tensor) {
    const found = [];
    if (!tensor.linear) found.push("constant");
    if (tensor.linear) found.push(tensor.clipped > 0 ? "clipped" : "not clipped");
    if (tensor.masked > 0) found.push("mask set apart");
    if (tensor.nonFinite > 0) found.push("NaN or infinite");
    if (tensor.sharedBy.length > 1) found.push("shared range");
    if (value(tensor.sqnr) < 20) found.push("below 20 dB");
    return found;
  }

  function fillTensor(tensor, again) {
    const ranges = tensor.methods.map((one, i) => ({ ...one, letter: String.fromCharCode(65 + i), style: `c${i % 6}`, dashes: DASHES[i % 6] }));
    const parts = [];
    if (tensor.linear) {
      parts.push(
        element("div", { class: "tools" },
          radios("x", "Values", ["linear", "log"], view.x, kind => { view.x = kind; again(); }),
          radios("y", "Counts", ["linear", "log"], view.y, kind => { view.y = kind; again(); })),
        Chart.histogram(tensor, view.x, view.y, ranges.filter(one => !view.hidden.has(one.method))),
        element("p", { class: "quiet" }, `Shaded: what the integers of ${tensor.dtype} reach. Values beyond it, which are clipped, have another colour.`
          + (tensor.zeros > 0 ? ` Zeros, ${percent(tensor.zeros / tensor.values)} of all, are the thin bar; it ends where the chart ends.` : "")));
    } else {
      parts.push(element("p", {}, `One value was observed: ${text(tensor.min)}.`));
    }
    if (ranges.length) {
      const least = Math.min(...ranges.map(one => one.error));
      const head = element("tr", {}, ...["", "", "Method", "Low", "High", "Expected error", "To the least", ""].map(one => element("th", {}, one)));
      const body = element("tbody");
      for (const one of ranges) {
        const box = element("input", { type: "checkbox", "aria-label": `draw ${one.method}` });
        box.checked = !view.hidden.has(one.method);
        box.addEventListener("change", () => { box.checked ? view.hidden.delete(one.method) : view.hidden.add(one.method); again(); });
        const line = Chart.svg("svg", { width: 36, height: 14, "aria-hidden": "true" },
          Chart.svg("line", { class: `mark ${one.style}`, x1: 0, x2: 36, y1: 7, y2: 7, "stroke-dasharray": one.dashes }));
        body.append(element("tr", {}, element("td", {}, box), element("td", {}, line), element("td", {}, `${one.letter}  ${one.method}`),
          ...[text(one.low), text(one.high), text(one.error), least > 0 ? text(one.error / least, 4) : "–"].map(cell => element("td", { class: "n" }, cell)),
          element("td", {}, one.isChosen ? element("strong", {}, "as chosen") : "")));
      }
      parts.push(element("h3", {}, "Ranges by method"), element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), body)));
    }
    parts.push(facts([
      ["Operator", tensor.op || "input of the model"],
      ["Values", `${text(tensor.values)}; ${text(tensor.zeros)} zeros, ${text(tensor.nonFinite)} NaN or infinite, ${text(tensor.masked)} of a mask`],
      ["Observed", `${text(tensor.min)} … ${text(tensor.max)}`],
      ["Quantized", `${text(tensor.low)} … ${text(tensor.high)} in ${tensor.dtype}, scale ${text(tensor.scale, 6)}, zero point ${tensor.zeroPoint}, by ${tensor.method}`],
      ["Expected", `SQNR ${text(tensor.sqnr)} dB, mean squared error ${text(tensor.error)}, ${percent(tensor.clipped)} clipped`],
      ["Range taken by", tensor.sharedBy.join(", ")]]));
    if (tensor.channels) parts.push(element("h3", {}, `Ranges of ${tensor.channels.count} channels`), Chart.channels(tensor.channels, tensor.low, tensor.high), neighbours(tensor.channels));
    return parts;
  }

  function neighbours(channels) {
    return channels.each > 1 ? element("p", { class: "quiet" }, `Each bar is the range of ${channels.each} neighbouring channels together.`) : "";
  }

  function activations(tensors) {
    const made = section("activations", "Activations", "Each picture is the histogram of the observed values; shaded is what the integers reach, and values beyond it have another colour. Counts are drawn by their root, so that rare values are seen. A name opens the tensor large, with the ranges of all methods.");
    tensors.forEach(tensor => { tensor.states = states(tensor); });
    let table = null;
    const open = viewer(() => table, fillTensor);
    const picture = tensor => tensor.linear ? Chart.thumbnail(tensor) : `only ${text(tensor.min)}`;
    tensors.forEach((tensor, i) => { tensor.place = i; tensor.width = value(tensor.high) - value(tensor.low); });
    table = makeTable("Activations", [
      { title: "#", help: "place in the graph", style: "n lesser", key: tensor => tensor.place, cell: tensor => String(tensor.place + 1) },
      { title: "Tensor", style: "name", key: tensor => tensor.name, cell: tensor => opener(tensor, open) },
      { title: "Operator", key: tensor => tensor.op, cell: tensor => tensor.op || "input" },
      { title: "State", style: "lesser", key: tensor => tensor.states.join(", "), cell: tensor => element("span", {}, ...tensor.states.map(one => element("span", { class: "tag" }, one))) },
      { title: "Distribution", help: "sorts by the width of the quantized range", key: tensor => tensor.width, cell: picture },
      numeric("SQNR, dB", "sqnr", "to be expected of these qparams"),
      { ...numeric("Clipped", "clipped", "share of the values beyond the range"), cell: tensor => percent(tensor.clipped) },
      { title: "Method", key: tensor => tensor.method },
      numeric("Expected error", "error", "mean squared", "lesser"),
      numeric("Least", "min", "observed", "lesser"),
      numeric("Greatest", "max", "observed", "lesser"),
      numeric("Low", "low", "of the quantized range"),
      numeric("High", "high", "of the quantized range"),
      { ...numeric("Scale", "scale", "", "lesser"), cell: tensor => text(tensor.scale, 5) },
      numeric("Zero point", "zeroPoint", "", "lesser"),
      { title: "Type", style: "lesser", key: tensor => tensor.dtype },
      numeric("Values", "values", "how many were observed", "lesser"),
    ], tensors);
    made.append(tools(table, tensors, [{ title: "Operator", of: tensor => [tensor.op || "input"] }, { title: "State", of: tensor => tensor.states }]), table.node);
  }

  /* ---- Weights ---- */
  function fillWeight(weight) {
    const parts = [facts([
      ["Operator", weight.op || "none"],
      ["Stored as", `${weight.dtype}, ${weight.layout}`],
      ["Values", `${text(weight.values)} in ${text(weight.bytes)} bytes, ${text(weight.bytes / weight.values, 3)} each`],
      ["Scales", `${text(weight.leastScale, 5)} … ${text(weight.greatestScale, 5)}`],
      ...("sqnr" in weight ? [["Error", `SQNR ${text(weight.sqnr)} dB, mean squared ${text(weight.mse)}, greatest ${text(weight.greatest)}, cosine ${text(weight.cosine, 7)}`]] : [])])];
    if (weight.channels) parts.push(element("h3", {}, `What ${text(weight.channels.count)} scales reach`), Chart.channels(weight.channels), neighbours(weight.channels));
    return parts;
  }

  function weights(all) {
    const made = section("weights", "Weights", "A name opens the ranges of its channels.");
    let table = null;
    const open = viewer(() => table, fillWeight);
    all.forEach(weight => { weight.each = weight.bytes / weight.values; });
    const measured = all.some(weight => "sqnr" in weight);
    table = makeTable("Weights", [
      { title: "Weight", style: "name", key: weight => weight.name, cell: weight => opener(weight, open) },
      { title: "Operator", key: weight => weight.op },
      { title: "Type", key: weight => weight.dtype },
      { title: "Qparams", key: weight => weight.layout },
      numeric("Values", "values"), numeric(found.unit === "bytes" ? "Bytes" : found.unit, "cost"),
      { ...numeric("Bytes a value", "each", "", "lesser"), cell: weight => text(weight.each, 3) },
      numeric("Least scale", "leastScale", "", "lesser"), numeric("Greatest scale", "greatestScale", "", "lesser"),
      ...(measured ? [numeric("SQNR, dB", "sqnr"), numeric("MSE", "mse", "", "lesser"), numeric("Greatest error", "greatest", "", "lesser"), numeric("Cosine", "cosine", "", "lesser")] : []),
    ], all);
    made.append(tools(table, all, [{ title: "Operator", of: weight => [weight.op] }, { title: "Type", of: weight => [weight.dtype] }]), table.node);
  }

  /* ---- What was measured of layers ---- */
  function legend(series) {
    return element("p", {}, ...series.flatMap(one => [Chart.svg("svg", { width: 36, height: 10, class: "legend", "aria-hidden": "true" },
      Chart.svg("line", { class: `mark ${one.style}`, x1: 0, x2: 36, y1: 5, y2: 5, "stroke-dasharray": one.dashes })), ` ${one.name} `]));
  }

  function layers(all) {
    const made = section("layers", "Float against quantized, by layer", "Along the depth of the model. Accumulated: with the quantized model's own inputs, so that the errors of all layers before are in it. Local: with the float model's inputs, the error of this layer alone. Where both fall, the error enters; where only the accumulated one is low, it passes.");
    const series = [
      { name: "accumulated", style: "c0", dashes: "none", values: all.map(one => value(one.accumulated)) },
      { name: "local", style: "c1", dashes: "6 4", values: all.map(one => value(one.local)) },
    ].filter(one => one.values.some(at => !Number.isNaN(at)));
    const told = element("output", { "aria-live": "polite" });
    const tell = i => { told.textContent = `${i + 1}. ${all[i].name} (${all[i].op}): accumulated ${text(all[i].accumulated)} dB, local ${text(all[i].local)} dB`; };
    const chart = Chart.lines("SQNR in dB by layer", series, all.map((_, i) => i), i => `layer ${i + 1}`, "dB", tell);
    all.forEach((one, i) => { one.place = i; });
    const table = makeTable("Layers", [
      { title: "#", style: "n", key: one => one.place, cell: one => String(one.place + 1) },
      { title: "Tensor", style: "name", key: one => one.name, cell: one => element("code", {}, one.name) },
      { title: "Operator", key: one => one.op },
      numeric("Accumulated, dB", "accumulated"), numeric("Local, dB", "local"),
    ], all);
    made.append(legend(series), chart, told, tools(table, all, [{ title: "Operator", of: one => [one.op] }]), table.node);
  }

  function meter(name, entries) {
    const finite = entries.map(one => value(one[name])).filter(Number.isFinite);
    const low = Math.min(0, ...finite), high = Math.max(...finite, low + 1e-12);
    return entry => {
      const at = value(entry[name]);
      if (Number.isNaN(at)) return "";
      const bar = element("span", { class: "meter" });
      bar.style.width = `${Math.max(0, Math.min(1, (at - low) / (high - low))) * 100}%`;
      return bar;
    };
  }

  function sensitivity(found) {
    const made = section("sensitivity", "Sensitivity of layers", found.meaning);
    const all = found.layers ?? [];
    const has = name => all.some(one => !Number.isNaN(value(one[name])));
    const table = makeTable("Sensitivity", [
      { title: "Layer", style: "name", key: one => one.name, cell: one => element("code", {}, one.name) },
      { title: "Type", key: one => one.type },
      ...(has("sqnr") ? [numeric("SQNR, dB", "sqnr"), { title: "", style: "meters", key: one => value(one.sqnr), cell: meter("sqnr", all) }] : []),
      ...(has("metric") ? [numeric(found.metric, "metric"), { title: "", style: "meters", key: one => value(one.metric), cell: meter("metric", all) }] : []),
    ], all);
    made.append(tools(table, all, [{ title: "Type", of: one => [one.type] }]), table.node);
    if (has("sqnr") || has("metric")) table.sort(2);
  }

  function front(found) {
    const points = (found.points ?? []).filter(point => Number.isFinite(value(point.metric)));
    if (!points.length) return;
    const made = section("front", `${found.unit === "bytes" ? "Size" : "Time"} against ${found.metric}`, "Each point is an assignment of types to layers that was measured. The line joins those that no other one beats.");
    const best = [];
    for (const point of [...points].sort((a, b) => a.cost - b.cost || b.metric - a.metric)) {
      if (!best.length || point.metric > best[best.length - 1].metric) best.push(point);
    }
    points.forEach(point => { point.name = point.label; point.place = point.isChosen ? "chosen" : best.includes(point) ? "on the line" : ""; });
    const table = makeTable("Assignments", [
      { title: "Assignment", style: "name", key: point => point.label },
      numeric(found.unit === "bytes" ? "Bytes" : found.unit, "cost"),
      { ...numeric(found.metric, "metric"), cell: point => text(point.metric, 6) },
      { title: "", key: point => point.place },
    ], points);
    made.append(Chart.front(points, best, found.unit, found.metric, found.target), table.node);
    table.sort(1);
  }

  function losses(points) {
    const made = section("losses", "Training");
    const told = element("output", { "aria-live": "polite" });
    const named = { loss: "loss", sqnr: "SQNR", top1: "top-1" };
    const steps = points.map(one => one.step);
    const tell = i => {
      const known = Object.keys(named).filter(key => !Number.isNaN(value(points[i][key])));
      told.textContent = `step ${text(steps[i])}: ${known.map(key => `${named[key]} ${text(points[i][key])}`).join(", ")}`;
    };
    for (const [key, name] of Object.entries(named)) {
      const values = points.map(one => value(one[key]));
      if (values.every(at => Number.isNaN(at))) continue;
      const series = [{ name, style: "c0", dashes: "none", isSparse: true, values }];
      made.append(Chart.lines(`${name} by step`, series, steps, i => `step ${text(steps[i])}`, key === "sqnr" ? "dB" : name, tell));
    }
    made.append(told);
  }

  if (data.layers) layers(data.layers);
  if (data.sensitivity) sensitivity(data.sensitivity);
  if (data.front) front(data.front);
  if (data.losses) losses(data.losses);
  if (data.tensors) activations(data.tensors);
  if (data.weights) weights(data.weights);
  for (const [id, title] of [["float-nodes", "Left in float32"], ["origin", "Versions and dates"], ["settings", "Settings"]]) {
    if (document.getElementById(id)) nav.append(element("a", { href: `#${id}` }, title));
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(one => { one.open = true; }));
})();
