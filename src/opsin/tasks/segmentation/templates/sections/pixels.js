for (const place of document.querySelectorAll("#pixels .thresholded")) {
  const curve = JSON.parse(place.dataset.curve), box = place.querySelector(".slider");
  const slider = box.querySelector("input"), said = box.querySelector("output");
  const show = () => {
    const at = Number(slider.value), value = name => curve[name][at] === null ? "–" : curve[name][at].toFixed(3);
    said.textContent = `${value("threshold")}: Dice ${value("dice")}, precision ${value("precision")}, recall ${value("recall")}, ` +
      `${(100 * curve.area[at]).toFixed(1)} % of the pixels`;
  };
  slider.addEventListener("input", show);
  box.hidden = false;
  show();
}
