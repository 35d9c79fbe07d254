// Beneath the box "Run in the cloud": when the job would start here and in the cloud, and for how much, while the form is filled in.
// To form.js of an app that has none, or behind what it has there: a block of its own, without a name that another could meet.
{
  /** What the app `spillway_quote` is told, by the fields of the form that say it; the first that there is counts. */
  const fields = {
    cluster: ['cluster'],
    bc_queue: ['bc_queue', 'auto_queues'],
    bc_account: ['bc_account', 'auto_accounts'],
    auto_qos: ['auto_qos'],
    bc_num_hours: ['bc_num_hours'],
    bc_num_slots: ['bc_num_slots', 'bc_num_nodes'],
    // CPUs of a node; auto_cores: of all.
    num_cores: ['num_cores'],
    auto_cores: ['auto_cores'],
    // GiB of a node, or with M, G or T.
    memory: ['memory'],
    // Of a node.
    num_gpus: ['num_gpus'],
  };
  /** What form.yml fixes is not on the page: write it here, such as { bc_num_slots: '1' }. */
  const fixed = {};
  const quietMs = 400;
  const patienceMs = 20_000;

  const at = (id) => document.getElementById(`batch_connect_session_context_${id}`);

  const said = (id) => {
    const field = at(id);
    // Radio buttons stand in an element of that id.
    const told = field?.value ?? field?.querySelector('input:checked')?.value;
    return typeof told === 'string' ? told.trim() : '';
  };

  const queryOf = () => {
    const query = new URLSearchParams();
    for (const [name, ids] of Object.entries(fields)) {
      const value = fixed[name] ?? ids.map(said).find((told) => told !== '');
      if (value !== undefined) query.set(name, value);
    }
    return query.toString();
  };

  /** Where this portal has its apps: /pun, unless the site says otherwise. */
  const portal = () => /^(.*?)\/(sys|dev|usr)\//.exec(location.pathname)?.[1] ?? '/pun';

  const linesOf = ({ here, cloud, cost, never, waits, note }) => {
    const price = cost === undefined ? 'its cost is not known' : `${cost} at most`;
    return [
      `Start here: ${here}`,
      never === undefined ? `Start in the cloud: ${cloud}; ${price}` : `Never in the cloud: ${never}`,
      ...(waits === undefined ? [] : [`Not to the cloud now: ${waits}`]),
      ...(note === undefined ? [] : [note]),
    ];
  };

  const quoted = async (query) => {
    try {
      const response = await fetch(`${portal()}/sys/spillway_quote/?${query}`, {
        headers: { accept: 'application/json' },
        cache: 'no-store',
        // To a page that signs one in, after a night.
        redirect: 'error',
        signal: AbortSignal.timeout(patienceMs),
      });
      const told = await response.json();
      if (response.ok) return { lines: linesOf(told), failed: false };
      const why = typeof told.error === 'string' ? `: ${told.error}` : '.';
      // What is wrong in the form is so until somebody writes something else.
      return { lines: [`No quote now${why}`], failed: response.status !== 400 };
    } catch {
      // An app that is not there answers with a page, and a network that is away not at all.
      return { lines: ['No quote now.'], failed: true };
    }
  };

  /** Beneath the box, and hidden with it where a dynamic form hides it. */
  const placeFor = (box) => {
    const place = document.createElement('div');
    place.id = 'spillway_quote';
    place.className = 'form-text';
    place.setAttribute('aria-live', 'polite');
    const around = at('global_spillway_cloud_wrapper') ?? box.closest('.form-group, .mb-3');
    if (around === null) (box.closest('.form-check') ?? box).after(place);
    else around.append(place);
    return place;
  };

  const show = (place, lines, busy) => {
    place.setAttribute('aria-busy', String(busy));
    place.replaceChildren(
      ...lines.map((line) => {
        const own = document.createElement('div');
        own.textContent = line;
        return own;
      }),
    );
  };

  const begin = () => {
    const box = at('global_spillway_cloud');
    // Once, also where a sub-app's file has it too.
    if (box === null || document.getElementById('spillway_quote') !== null) return;
    const place = placeFor(box);
    let asked;
    let running = false;
    let timer;
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, quietMs);
    };
    const ask = async () => {
      // One at a time, and no abort: Passenger serves one request of a user after the other, those too that a browser gave up.
      if (running) return;
      const query = queryOf();
      if (query === asked) return;
      asked = query;
      running = true;
      show(place, ['Asking when it would start.'], true);
      const { lines, failed } = await quoted(query);
      running = false;
      const wroteOn = queryOf() !== query;
      // So that the form's next touch asks again.
      if (wroteOn || failed) asked = undefined;
      if (wroteOn) later();
      else show(place, lines, false);
    };
    const form = box.form ?? document;
    form.addEventListener('input', later);
    form.addEventListener('change', later);
    // What other scripts of the form say by jQuery, no listener of the browser's own hears.
    window.jQuery?.(form).on('change', later);
    ask();
  };

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
}
