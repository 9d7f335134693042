// Shows the page's layers with NiiVue. Until a first picture is drawn, and where none can be, the page shows a figure.
(async () => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const box = at("viewer"), frame = at("viewer-frame"), note = at("viewer-note");

  function giveUp(why) {
    box.hidden = true;
    note.textContent = `The interactive viewer needs WebGL 2 (${why}); this figure shows what it would.`;
    document.documentElement.dataset.viewer = "still";
  }

  function hasWebGL() {
    const context = document.createElement("canvas").getContext("webgl2");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return context !== null;
  }

  // Height that three planes side by side need, and one alone.
  function fit(planes, scene) {
    const [x, y, z] = scene.size;
    const width = frame.clientWidth;
    const heights = { three: (width * Math.max(y, z)) / (2 * x + y), axial: width * (y / x), coronal: width * (z / x),
      sagittal: width * (z / y) };
    frame.style.height = `${Math.round(Math.min(heights[planes], 640))}px`;
  }

  // Voxels of masks with an edge or face neighbor outside of it, eight masks at a time: lines without gaps in any plane.
  function shells(masks, [nx, ny, nz]) {
    const found = new Uint8Array(masks.length);
    const sizes = [nx, ny, nz], steps = [1, nx, nx * ny];
    const sides = [];
    for (const [one, other] of [[0, 1], [0, 2], [1, 2]])
      for (const a of [-1, 0, 1]) for (const b of [-1, 0, 1])
        if (a || b) sides.push([a * steps[one] + b * steps[other], one, a, other, b]);
    const within = (n, size) => n >= 0 && n < size;
    for (let z = 0, n = 0; z < nz; z++)
      for (let y = 0; y < ny; y++)
        for (let x = 0; x < nx; x++, n++) {
          if (masks[n] === 0) continue;
          const place = [x, y, z];
          let around = 255;
          for (const [step, one, a, other, b] of sides) {
            const isThere = within(place[one] + a, sizes[one]) && within(place[other] + b, sizes[other]);
            around &= isThere ? masks[n + step] : 0;
          }
          found[n] = masks[n] & ~around;
        }
    return found;
  }

  // Which color each combination of outlines has: that of the first one that is switched on.
  function outlineColors(outlines, isOn) {
    const table = { R: [], G: [], B: [], A: [], I: [] };
    for (let code = 0; code < 1 << outlines.length; code++) {
      const top = outlines.find((outline) => code & outline.bit && isOn(outline.key));
      const [red, green, blue] = top ? top.color : [0, 0, 0];
      table.R.push(red), table.G.push(green), table.B.push(blue), table.A.push(top ? 255 : 0), table.I.push(code);
    }
    return table;
  }

  function sayValue(layer, code) {
    const value = layer.slope * code + layer.intercept;
    if (layer.logarithmic) return code === 0 ? `below ${layer.faintest}` : (10 ** value).toPrecision(2);
    return layer.kind === "scan" ? value.toFixed(0) : value.toPrecision(2);
  }

  if (!hasWebGL()) return giveUp("this browser shows none here");
  const scene = JSON.parse(at("viewer-scene").textContent);
  box.hidden = false;
  fit("three", scene);
  try {
    const viewer = new niivue.Niivue({
      logLevel: "error", isRadiologicalConvention: true, sagittalNoseLeft: true, dragAndDropEnabled: false,
      multiplanarLayout: 3, multiplanarShowRender: 0, multiplanarPadPixels: 4, isColorbar: false, isAntiAlias: true,
      crosshairColor: [0.7, 0.7, 0.7, 1], crosshairWidth: 0.4, crosshairWidthUnit: "mm", crosshairGap: 8,
      fontColor: [1, 1, 1, 1], showAllOrientationMarkers: true, fontMinPx: 12, fontSizeScaling: 0.25, backColor: [0, 0, 0, 1], dragMode: 0,
      viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "",
    });
    await viewer.attachToCanvas(at("viewer-canvas"));
    viewer.setSliceType(niivue.SLICE_TYPE.MULTIPLANAR);
    const codes = {};
    for (const layer of scene.layers) {
      const image = await niivue.NVImage.loadFromBase64({
        base64: layer.nifti, name: `${layer.key}.nii.gz`, cal_min: layer.low, cal_max: layer.high, colorbarVisible: false,
      });
      layer.nifti = null;
      codes[layer.key] = image.img;
      layer.slope = image.hdr.scl_slope, layer.intercept = image.hdr.scl_inter;
      if (layer.colors) {
        viewer.addColormap(layer.key, layer.colors);
        image._colormap = layer.key;
      }
      if (layer.kind === "outlines") image.img = shells(image.img, image.hdr.dims.slice(1, 4));
      viewer.addVolume(image);
    }
    const dims = viewer.volumes[0].hdr.dims.slice(1, 4);
    const isChosen = (group, key) => box.querySelector(`input[name=${group}][value=${key}]`)?.checked ?? false;

    const opacity = () => at("viewer-opacity").valueAsNumber / 100;

    function show() {
      scene.layers.forEach((layer, n) => {
        if (layer.kind === "scan") viewer.volumes[n].opacity = isChosen("scan", layer.key) ? 1 : 0;
        if (layer.kind === "map") viewer.volumes[n].opacity = isChosen("map", layer.key) ? opacity() : 0;
        if (layer.kind === "outlines")
          viewer.volumes[n].setColormapLabel(outlineColors(scene.outlines, (key) => isChosen("outline", key)));
      });
      for (const bar of box.querySelectorAll("[data-bar]")) bar.hidden = !isChosen("map", bar.dataset.bar);
      viewer.updateGLVolume();
    }

    function showPlanes() {
      const chosen = box.querySelector("input[name=planes]:checked").value;
      fit(chosen, scene);
      viewer.setSliceType({ three: 3, axial: 0, coronal: 1, sagittal: 2 }[chosen]);
      viewer.resizeListener();
    }

    function read(mm) {
      const place = [0, 1, 2].map((row) => {
        const [a, b, c, d] = scene.voxel[row];
        return Math.round(a * mm[0] + b * mm[1] + c * mm[2] + d);
      });
      const words = [`x ${mm[0].toFixed(0)}, y ${mm[1].toFixed(0)}, z ${mm[2].toFixed(0)} mm`];
      if (place.every((n, axis) => n >= 0 && n < dims[axis])) {
        const n = place[0] + dims[0] * (place[1] + dims[1] * place[2]);
        for (const layer of scene.layers)
          if (layer.kind !== "outlines") words.push(`${layer.title} ${sayValue(layer, codes[layer.key][n])}`);
        const inside = scene.outlines.filter((outline) => codes.outlines[n] & outline.bit);
        words.push(inside.length ? `in ${inside.map((outline) => outline.title).join(", ")}` : "in no target");
      }
      at("viewer-readout").textContent = words.join("  ·  ").replace(/-(?=\d)/g, "−");
    }

    for (const bar of box.querySelectorAll("[data-bar] i")) {
      const { R, G, B } = scene.layers.find((layer) => layer.key === bar.parentElement.dataset.bar).colors;
      const stops = R.slice(1).map((red, n) => `rgb(${red},${G[n + 1]},${B[n + 1]})`);
      bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
    }
    for (const swatch of box.querySelectorAll("[data-outline]")) {
      const { color } = scene.outlines.find((outline) => outline.key === swatch.dataset.outline);
      swatch.style.backgroundColor = `rgb(${color.join(",")})`;
    }
    viewer.onLocationChange = (location) => read(location.mm);
    box.addEventListener("change", (event) => (event.target.name === "planes" ? showPlanes() : show()));
    at("viewer-opacity").addEventListener("input", show);
    window.addEventListener("resize", () => fit(box.querySelector("input[name=planes]:checked").value, scene));
    show();
    // by the scanner's axes, as the readout: NiiVue's default is its own frame along the voxels, another one for oblique scans
    viewer.scene.crosshairPos = viewer.mm2frac(scene.center, 0, true);
    viewer.drawScene();
    read(viewer.frac2mm(viewer.scene.crosshairPos, 0, true));
    document.documentElement.dataset.viewer = "drawn";
  } catch (error) {
    giveUp(`it failed: ${error.message}`);
  }
})();
