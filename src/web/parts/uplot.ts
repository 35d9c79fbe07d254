import type uPlot from 'uplot';

/** What a plot takes of the page's style: colours by their names there, its axes, its letters. */
export function paintOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return { colour, axis, letters: style.fontFamily };
}

/** Keeps it as wide as its place; what is answered takes it away. */
export function fitted(plot: uPlot, element: HTMLElement, height: number): () => void {
  const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
  resized.observe(element);
  return () => {
    resized.disconnect();
    plot.destroy();
  };
}
