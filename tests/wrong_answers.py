"""Usual wrong answers to the exercises, as a learner would write them, each with words
of the hint it must get. The key is the name of the check.
"""

WRONG = {
    # --- 01 · Introduction to recurrent neural networks ---
    "clip_gradient": [
        (
            "def clip_gradient(gradient, limit):\n"
            "    return gradient.clamp(-limit, limit)",
            "turns the gradient",
        ),
        (
            "def clip_gradient(gradient, limit):\n"
            "    return gradient / gradient.norm() * limit",
            "made longer",
        ),
        (
            "def clip_gradient(gradient, limit):\n"
            "    n = np.linalg.norm(gradient)\n"
            "    if n > limit:\n"
            "        gradient = gradient / n\n"
            "    return gradient",
            "where does the limit",
        ),
    ],
    "number_of_weights": [
        (
            "def number_of_weights(inputs, units, outputs):\n"
            "    return units * (inputs + units + 1) + outputs * (units + 1)",
            "in two parts",
        ),
        (
            "def number_of_weights(inputs, units, outputs):\n"
            "    rnn = nn.RNN(inputs, units)\n"
            "    return sum(w.numel() for w in rnn.parameters())",
            "the RNN alone",
        ),
        (
            "def number_of_weights(inputs, units, outputs):\n"
            "    W_x, W_h, b, W_y = inputs * units, units**2, units, units * outputs\n"
            "    return W_x + W_h + 2 * b + W_y",
            "one number for each output",
        ),
        (
            "def number_of_weights(inputs, units, outputs):\n"
            "    cell = 2 * (inputs * units + units)\n"
            "    return cell + units * outputs + outputs",
            "how many rows and columns",
        ),
    ],
    "last_state": [
        (
            "def last_state(x, W_x, W_h, b):\n"
            "    for x_t in x:\n"
            "        h = torch.zeros(x.shape[1], len(b))\n"
            "        h = torch.tanh(x_t @ W_x.T + h @ W_h.T + b)\n"
            "    return h",
            "nothing of the steps before",
        ),
        (
            "def last_state(x, W_x, W_h, b):\n"
            "    h = 0 * b\n"
            "    for t in range(len(x)):\n"
            "        h = x[t] @ W_x.T + h @ W_h.T + b\n"
            "    return h",
            "squashes",
        ),
        (
            "def last_state(x, W_x, W_h, b):\n"
            "    h = np.zeros((x.shape[1], W_h.shape[0]))\n"
            "    for x_t in x:\n"
            "        h = np.tanh(x_t @ W_x.T + h @ W_h.T)\n"
            "    return h",
            "The constant",
        ),
        (
            "def last_state(x, W_x, W_h, b):\n"
            "    h = torch.zeros(len(x), len(b))\n"
            "    for t in range(x.shape[1]):\n"
            "        h = torch.tanh(x[:, t] @ W_x.T + h @ W_h.T + b)\n"
            "    return h",
            "over the sequences",
        ),
        (
            "def last_state(x, W_x, W_h, b):\n"
            "    h = torch.zeros(x.shape[1], len(b))\n"
            "    for x_t in x:\n"
            "        h = torch.tanh(x_t @ W_x.T + torch.matmul(h, W_h) + b)\n"
            "    return h",
            "no shape warns",
        ),
        (
            "def last_state(x, W_x, W_h, b):\n"
            "    h = 0\n"
            "    for x_t in x:\n"
            "        a = x_t @ W_x + b\n"
            "        h = np.tanh(a + h @ W_h if np.ndim(h) else a)\n"
            "    return h",
            "Both matrices",
        ),
    ],
    "back_one_step": [
        (
            "def back_one_step(grad_h, h, W_h):\n"
            "    return W_h @ (grad_h - h * h * grad_h)",
            "leads forwards",
        ),
        (
            "def back_one_step(grad_h, h, W_h):\n    return grad_h @ W_h",
            "left out",
        ),
        (
            "def back_one_step(grad_h, h, W_h):\n"
            "    slope = 1 - torch.tanh(h).square()\n"
            "    return W_h.T @ (slope * grad_h)",
            "through tanh already",
        ),
        (
            "def back_one_step(grad_h, h, W_h):\n"
            "    back = np.zeros(len(h))\n"
            "    for i in range(len(h)):\n"
            "        for j in range(len(h)):\n"
            "            back[i] += (1 - h[i] ** 2) * W_h[j, i] * grad_h[j]\n"
            "    return back",
            "Forwards, tanh",
        ),
    ],
    # --- 02.1 · Simple RNN ---
    "my_windows": [
        (
            "def my_windows(series, length, horizon):\n"
            "    known, future = [], []\n"
            "    for i in range(len(series) - length - horizon):\n"
            "        known.append(series[i : i + length])\n"
            "        future.append(series[i + length : i + length + horizon])\n"
            "    return known, future",
            "The last pair",
        ),
        (
            "def my_windows(series, length, horizon):\n"
            "    starts = range(len(series) - length)\n"
            "    known = [series[i : i + length] for i in starts]\n"
            "    future = [series[i + length : i + length + horizon] for i in starts]\n"
            "    return np.array(known), np.array(future)",
            "Too many pairs",
        ),
        (
            "def my_windows(series, length, horizon):\n"
            "    x, y = [], []\n"
            "    for end in range(length - 1, len(series) - horizon):\n"
            "        x.append(series[end - length + 1 : end + 1])\n"
            "        y.append(series[end : end + horizon])\n"
            "    return torch.stack(x), torch.stack(y)",
            "which is known",
        ),
        (
            "def my_windows(series, length, horizon):\n"
            "    known, future, i = [], [], 0\n"
            "    while i + length + horizon <= len(series):\n"
            "        known.append(series[i : i + length])\n"
            "        i += length\n"
            "        future.append(series[i : i + horizon])\n"
            "    return np.array(known), np.array(future)",
            "end to end",
        ),
        (
            "def my_windows(series, length, horizon):\n"
            "    known = series[: len(series) - horizon].unfold(0, length, 1)\n"
            "    return known, series[length + horizon - 1 :].unsqueeze(1)",
            "target is one value",
        ),
    ],
    "standardised": [
        (
            "def standardised(series, train_length):\n"
            "    return (series - series.mean()) / series.std()",
            "that leaks",
        ),
        (
            "def standardised(series, train_length):\n"
            "    train = np.asarray(series[:train_length])\n"
            "    return (train - train.mean()) / train.std()",
            "Only the training part",
        ),
        (
            "def standardised(series, train_length):\n"
            "    parts = series[:train_length], series[train_length:]\n"
            "    return np.concatenate([(p - p.mean()) / np.std(p) for p in parts])",
            "of its own",
        ),
        (
            "def standardised(series, train_length):\n"
            "    train = series[:train_length]\n"
            "    mean = sum(train) / train_length\n"
            "    spread = sum((v - mean) ** 2 for v in train) / train_length\n"
            "    return (series - mean) / spread",
            "the variance",
        ),
        (
            "def standardised(series, train_length):\n"
            "    train = torch.as_tensor(series[:train_length])\n"
            "    return (series - train.mean()) / torch.std(train)",
            "one less",
        ),
    ],
    "descend": [
        (
            "def descend(layer, x, y, steps, lr, limit):\n"
            "    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)\n"
            "    for _ in range(steps):\n"
            "        loss = squared_error(layer(x), y)\n"
            "        loss.backward()\n"
            "        nn.utils.clip_grad_norm_(layer.parameters(), limit)\n"
            "        optimizer.step()\n"
            "    return layer.weight, layer.bias",
            "old gradients",
        ),
        (
            "def descend(layer, x, y, steps, lr, limit):\n"
            "    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)\n"
            "    for _ in range(steps):\n"
            "        loss = squared_error(layer(x), y)\n"
            "        optimizer.zero_grad()\n"
            "        nn.utils.clip_grad_norm_(layer.parameters(), limit)\n"
            "        loss.backward()\n"
            "        optimizer.step()\n"
            "    return layer.weight, layer.bias",
            "too long",
        ),
        (
            "def descend(layer, x, y, steps, lr, limit):\n"
            "    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)\n"
            "    for _ in range(steps):\n"
            "        squared_error(layer(x), y).backward()\n"
            "        optimizer.zero_grad()\n"
            "        nn.utils.clip_grad_norm_(layer.parameters(), limit)\n"
            "        optimizer.step()\n"
            "    return layer.weight, layer.bias",
            "No weight has moved",
        ),
        (
            "def descend(layer, x, y, steps, lr, limit):\n"
            "    optimizer = torch.optim.Adam(layer.parameters(), lr=lr)\n"
            "    for _ in range(steps):\n"
            "        optimizer.zero_grad()\n"
            "        squared_error(layer(x), y).backward()\n"
            "        nn.utils.clip_grad_norm_(layer.parameters(), limit)\n"
            "        optimizer.step()\n"
            "    return layer.weight, layer.bias",
            "Adam",
        ),
        (
            "def descend(layer, x, y, steps, lr, limit):\n"
            "    w, b = layer.weight, layer.bias\n"
            "    for _ in range(steps):\n"
            "        loss = ((x @ w.T + b - y) ** 2).sum()\n"
            "        grads = torch.autograd.grad(loss, (w, b))\n"
            "        length = sum(g.square().sum() for g in grads) ** 0.5\n"
            "        factor = lr * min(1, limit / length)\n"
            "        w, b = w - factor * grads[0], b - factor * grads[1]\n"
            "    return w, b",
            "not their mean",
        ),
    ],
    # --- 02.2 · LSTM ---
    "half_life_bias": [
        (
            "def half_life_bias(n):\n    return torch.log(torch.tensor(n - 1.0))",
            "for the time scale",
        ),
        ("def half_life_bias(n):\n    return 0.5 ** (1 / n)", "the gate itself"),
        (
            "def half_life_bias(n):\n"
            "    f = np.exp(np.log(0.5) / n)\n"
            "    return 1 / (1 + np.exp(-f))",
            "the way back",
        ),
        ("def half_life_bias(n):\n    return -np.log(2) / n", "undoes an exponential"),
        (
            "def half_life_bias(n):\n"
            "    loss = 0.5 / n\n"
            "    return torch.logit(torch.tensor(1 - loss, dtype=torch.float64))",
            "a share of what is",
        ),
    ],
    "one_lstm_step": [
        (
            "def one_lstm_step(x_t, h, c, W_x, W_h, b):\n"
            "    i, f, o, g = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)\n"
            "    c = f.sigmoid() * c + i.sigmoid() * g.tanh()\n"
            "    return o.sigmoid() * c.tanh(), c",
            "last two blocks",
        ),
        (
            "def one_lstm_step(x_t, h, c, W_x, W_h, b):\n"
            "    sigmoid = lambda a: 1 / (1 + np.exp(-a))\n"
            "    f, i, g, o = np.split(x_t @ W_x.T + h @ W_h.T + b, 4, axis=1)\n"
            "    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)\n"
            "    return sigmoid(o) * np.tanh(c), c",
            "first two blocks",
        ),
        (
            "def one_lstm_step(x_t, h, c, W_x, W_h, b):\n"
            "    a = x_t @ W_x.T + h @ W_h.T + b\n"
            "    H = h.shape[1]\n"
            "    i, g = torch.sigmoid(a[:, :H]), torch.tanh(a[:, H : 2 * H])\n"
            "    f, o = torch.sigmoid(a[:, 2 * H :]).chunk(2, dim=1)\n"
            "    c = f * c + i * g\n"
            "    return o * torch.tanh(c), c",
            "in the middle",
        ),
        (
            "def one_lstm_step(x_t, h, c, W_x, W_h, b):\n"
            "    a = x_t @ W_x.T + h @ W_h.T + b\n"
            "    i, f, g, o = torch.sigmoid(a).chunk(4, dim=1)\n"
            "    c = f * c + i * g\n"
            "    return o * torch.tanh(c), c",
            "it is no gate",
        ),
        (
            "def one_lstm_step(x_t, h, c, W_x, W_h, b):\n"
            "    i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)\n"
            "    c = f.sigmoid() * c + i.sigmoid() * g.tanh()\n"
            "    return o.sigmoid() * c, c",
            "what squashes",
        ),
        (
            "def one_lstm_step(x_t, h, c, W_x, W_h, b):\n"
            "    i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)\n"
            "    h = o.sigmoid() * c.tanh()\n"
            "    c = f.sigmoid() * c + i.sigmoid() * g.tanh()\n"
            "    return h, c",
            "the old memory",
        ),
        (
            "def one_lstm_step(x_t, h, c, W_x, W_h, b):\n"
            "    i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)\n"
            "    c = f.sigmoid() * c + i.sigmoid() * g.tanh()\n"
            "    return c, o.sigmoid() * c.tanh()",
            "come back in the wrong",
        ),
    ],
    "feed_back": [
        (
            "def feed_back(weights, known, steps):\n"
            "    forecasts = []\n"
            "    for _ in range(steps):\n"
            "        recent = known[-len(weights) :]\n"
            "        forecasts.append((weights * recent).sum())\n"
            "    return forecasts",
            "All your forecasts",
        ),
        (
            "def feed_back(weights, known, steps):\n"
            "    window, forecasts = known[-len(weights) :], []\n"
            "    for _ in range(steps):\n"
            "        forecasts.append(float(weights @ window))\n"
            "        window[-1] = forecasts[-1]\n"
            "    return torch.tensor(forecasts)",
            "the newest value. The window",
        ),
        (
            "def feed_back(weights, known, steps):\n"
            "    values = list(known)\n"
            "    for _ in range(steps):\n"
            "        next_value = 0\n"
            "        for k in range(len(weights)):\n"
            "            next_value += weights[k] * values[-1 - k]\n"
            "        values.append(next_value)\n"
            "    return values[len(known) :]",
            "in the wrong order",
        ),
        (
            "def feed_back(weights, known, steps):\n"
            "    for t in range(steps):\n"
            "        window = known[t : t + len(weights)]\n"
            "        known = torch.cat([known, (weights @ window)[None]])\n"
            "    return known[-steps:]",
            "begins with the oldest",
        ),
        (
            "def feed_back(weights, known, steps):\n"
            "    for _ in range(steps):\n"
            "        known = np.append(known, weights @ known[-len(weights) :])\n"
            "    return known",
            "without the known",
        ),
    ],
    # --- 02.3 · GRU ---
    "one_gru_step": [
        (
            "def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):\n"
            "    x_r, x_z, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)\n"
            "    W_r, W_z, W_n = W_h.chunk(3)\n"
            "    b_r, b_z, b_n = b_h.chunk(3)\n"
            "    r = torch.sigmoid(x_r + h @ W_r.T + b_r)\n"
            "    z = torch.sigmoid(x_z + h @ W_z.T + b_z)\n"
            "    n = torch.tanh(x_n + (r * h) @ W_n.T + b_n)\n"
            "    return (1 - z) * n + z * h",
            "before the matrix product",
        ),
        (
            "def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):\n"
            "    H = h.shape[1]\n"
            "    x_r, x_z, x_n = (x_t @ W_x.T + b_x).split(H, dim=1)\n"
            "    h_r, h_z, h_n = (h @ W_h.T).split(H, dim=1)\n"
            "    b_r, b_z, b_n = b_h.split(H)\n"
            "    r = torch.sigmoid(x_r + h_r + b_r)\n"
            "    z = torch.sigmoid(x_z + h_z + b_z)\n"
            "    n = torch.tanh(x_n + r * h_n + b_n)\n"
            "    return (1 - z) * n + z * h",
            "wrong place",
        ),
        (
            "def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):\n"
            "    def sigmoid(a):\n"
            "        return 1 / (1 + np.exp(-a))\n"
            "    x_r, x_z, x_n = np.split(x_t @ W_x.T + b_x, 3, axis=1)\n"
            "    h_r, h_z, h_n = np.split(h @ W_h.T + b_h, 3, axis=1)\n"
            "    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)\n"
            "    n = np.tanh(x_n + r * h_n)\n"
            "    return z * n + (1 - z) * h",
            "shares are exchanged",
        ),
        (
            "def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):\n"
            "    x_z, x_r, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)\n"
            "    h_z, h_r, h_n = (h @ W_h.T + b_h).chunk(3, dim=1)\n"
            "    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()\n"
            "    return torch.lerp((x_n + r * h_n).tanh(), h, z)",
            "r and z are exchanged",
        ),
        (
            "def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):\n"
            "    W_r, W_z, W_n = W_h.chunk(3)\n"
            "    b_r, b_z, b_n = b_h.chunk(3)\n"
            "    x_r, x_z, x_n = (x_t @ W_x.T + b_x).chunk(3, dim=1)\n"
            "    r = torch.sigmoid(x_r + h @ W_r + b_r)\n"
            "    z = torch.sigmoid(x_z + h @ W_z + b_z)\n"
            "    n = torch.tanh(x_n + r * (h @ W_n + b_n))\n"
            "    return (1 - z) * n + z * h",
            "acts transposed",
        ),
        (
            "def one_gru_step(x_t, h, W_x, W_h, b_x, b_h):\n"
            "    a = x_t @ W_x.T + b_x + h @ W_h.T + b_h\n"
            "    r, z, n = a.chunk(3, dim=1)\n"
            "    z = torch.sigmoid(z)\n"
            "    return (1 - z) * torch.tanh(n) + z * h",
            "has no effect",
        ),
    ],
    "fill_forward": [
        (
            "def fill_forward(values):\n"
            "    return pd.Series(np.asarray(values)).interpolate().to_numpy()",
            "the far end",
        ),
        (
            "def fill_forward(values):\n"
            "    filled = list(values)\n"
            "    for t in reversed(range(len(filled) - 1)):\n"
            "        if np.isnan(filled[t]):\n"
            "            filled[t] = filled[t + 1]\n"
            "    return filled",
            "measured later",
        ),
        (
            "def fill_forward(values):\n"
            "    return torch.where(values.isnan(), values.nanmean(), values)",
            "A mean of all",
        ),
        (
            "def fill_forward(values):\n"
            "    filled = values.clone()\n"
            "    for t in range(1, len(values)):\n"
            "        if torch.isnan(values[t]):\n"
            "            filled[t] = values[t - 1]\n"
            "    return filled",
            "stays half open",
        ),
        (
            "def fill_forward(values):\n"
            "    for t in range(1, len(values)):\n"
            "        if values[t] == np.nan:\n"
            "            values[t] = values[t - 1]\n"
            "    return values",
            "not even to itself",
        ),
    ],
    "interval_of_five": [
        (
            "def interval_of_five(scores):\n"
            "    scores = np.asarray(scores)\n"
            "    half = 2.776 * scores.std() / np.sqrt(5)\n"
            "    return scores.mean() - half, scores.mean() + half",
            "it forgets that",
        ),
        (
            "def interval_of_five(scores):\n"
            "    half = 1.96 * np.std(scores, ddof=1) / 5**0.5\n"
            "    return scores.mean() - half, scores.mean() + half",
            "very many values",
        ),
        (
            "def interval_of_five(scores):\n"
            "    m = sum(scores) / 5\n"
            "    s = (sum((v - m) ** 2 for v in scores) / 4) ** 0.5\n"
            "    return [m - 2.776 * s / 5, m + 2.776 * s / 5]",
            "the luck of a mean",
        ),
        (
            "def interval_of_five(scores):\n"
            "    half = 2.776 * torch.std(scores)\n"
            "    return torch.stack([scores.mean() - half, scores.mean() + half])",
            "single seeds",
        ),
        (
            "def interval_of_five(scores):\n"
            "    m, s = np.mean(scores), np.std(scores, ddof=1)\n"
            "    return m - s, m + s",
            "plus and minus",
        ),
    ],
    # --- 02.4 · Stacked RNN ---
    "weights_of_stack": [
        (
            "def weights_of_stack(inputs, units, layers):\n"
            "    one = sum(w.numel() for w in nn.LSTM(inputs, units).parameters())\n"
            "    return layers * one",
            "reads the layer below",
        ),
        (
            "def weights_of_stack(inputs, units, layers):\n"
            "    total = 0\n"
            "    for k in range(layers):\n"
            "        below = inputs if k == 0 else units\n"
            "        total += units * (below + units + 2)\n"
            "    return total",
            "four blocks",
        ),
        (
            "def weights_of_stack(inputs, units, layers):\n"
            "    total = 0\n"
            "    for k in range(layers):\n"
            "        below = units if k else inputs\n"
            "        total += 4 * units * (below + units + 1)\n"
            "    return total",
            "two biases",
        ),
        (
            "def weights_of_stack(inputs, units, layers):\n"
            "    return sum(w.numel() for w in nn.LSTM(inputs, units).parameters())",
            "first layer alone",
        ),
    ],
    "bits_of": [
        (
            "def bits_of(scores, came):\n"
            "    return nn.functional.cross_entropy(scores, came)",
            "nats",
        ),
        (
            "def bits_of(scores, came):\n"
            "    p = scores.softmax(dim=1)\n"
            "    return sum(-torch.log2(p[t, k]) for t, k in enumerate(came))",
            "That is the sum",
        ),
        (
            "def bits_of(scores, came):\n"
            "    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)\n"
            "    return -np.log2(p[np.arange(len(came)), came].mean())",
            "other way round",
        ),
        (
            "def bits_of(scores, came):\n"
            "    log_p = scores.log_softmax(dim=1)[torch.arange(len(came)), came]\n"
            "    return log_p.mean() / np.log(2)",
            "The sign",
        ),
        (
            "def bits_of(scores, came):\n"
            "    return -scores[range(len(came)), came].mean()",
            "no probabilities yet",
        ),
    ],
    "at_temperature": [
        (
            "def at_temperature(scores, temperature):\n"
            "    return (temperature * scores).softmax(dim=0)",
            "You multiply",
        ),
        (
            "def at_temperature(scores, temperature):\n"
            "    p = scores.softmax(dim=0) / temperature\n"
            "    return p / p.sum()",
            "no effect",
        ),
        (
            "def at_temperature(scores, temperature):\n"
            "    p = np.exp(scores)\n"
            "    return p / p.sum() / temperature",
            "do not sum",
        ),
        (
            "def at_temperature(scores, temperature):\n"
            "    return torch.exp(scores / temperature)",
            "divided by their sum",
        ),
    ],
    # --- 02.5 · Bidirectional RNN ---
    "sum_up": [
        ("def sum_up(out):\n    return out[:, -1]", "usual bug"),
        ("def sum_up(out):\n    return out[:, 0, :]", "forward half has read one"),
        (
            "def sum_up(out):\n"
            "    H = out.shape[2] // 2\n"
            "    return torch.cat([out[:, 0, :H], out[:, -1, H:]], dim=1)",
            "not where it ends",
        ),
        (
            "def sum_up(out):\n"
            "    H = out.shape[-1] // 2\n"
            "    return np.concatenate([out[:, 0, H:], out[:, -1, :H]], axis=1)",
            "belongs in front",
        ),
        ("def sum_up(out):\n    return out.mean(1)", "over the steps"),
    ],
    "mean_loss": [
        ("def mean_loss(losses, lengths):\n    return losses.mean()", "all places, p"),
        (
            "def mean_loss(losses, lengths):\n"
            "    mask = torch.arange(losses.shape[1]) < lengths[:, None]\n"
            "    return (losses * mask).mean()",
            "still divide",
        ),
        (
            "def mean_loss(losses, lengths):\n"
            "    means = [row[:n].mean() for row, n in zip(losses, lengths)]\n"
            "    return sum(means) / len(means)",
            "A mean of means",
        ),
        (
            "def mean_loss(losses, lengths):\n"
            "    steps = np.arange(losses.shape[1])\n"
            "    mask = steps[None] <= np.asarray(lengths)[:, None]\n"
            "    return losses[mask].mean()",
            "slips in",
        ),
        (
            "def mean_loss(losses, lengths):\n"
            "    total = 0\n"
            "    for row, n in zip(losses, lengths):\n"
            "        total = total + row[:n].sum()\n"
            "    return total",
            "That is the sum",
        ),
    ],
    "read_back": [
        ("def read_back(x, lengths):\n    return x.flip(1)", "stands in front"),
        ("def read_back(x, lengths):\n    return x.flip(0)", "changed places"),
        (
            "def read_back(x, lengths):\n"
            "    back = x + 0\n"
            "    for row, n in zip(back, lengths):\n"
            "        row.flip(0)\n"
            "    return back",
            "Nothing was",
        ),
        (
            "def read_back(x, lengths):\n"
            "    back = np.zeros_like(x)\n"
            "    for i, n in enumerate(lengths):\n"
            "        back[i, : n - 1] = np.asarray(x)[i, n - 1 : 0 : -1]\n"
            "    return back",
            "got lost",
        ),
    ],
    # --- 02.6 · Choosing a model ---
    "units_for": [
        (
            "def units_for(budget, inputs, gates):\n"
            "    H = 1\n"
            "    while gates * H * (inputs + H + 2) <= budget:\n"
            "        H += 1\n"
            "    return H",
            "One unit too many",
        ),
        (
            "def units_for(budget, inputs, gates):\n"
            "    def size(H):\n"
            "        return gates * H * (inputs + H + 1)\n"
            "    return max(H for H in range(500) if size(H) <= budget)",
            "two biases",
        ),
        (
            "def units_for(budget, inputs, gates):\n"
            "    fits = [H for H in range(500) if H * (inputs + H + 2) <= budget]\n"
            "    return fits[-1]",
            "blocks of weights are missing",
        ),
        (
            "def units_for(budget, inputs, gates):\n"
            "    return budget // (gates * (inputs + 2))",
            "too large",
        ),
        (
            "def units_for(budget, inputs, gates):\n"
            "    fits = [H for H in range(500) if gates * H * (H + 2) <= budget]\n"
            "    return max(fits)",
            "weights of the inputs",
        ),
        (
            "def units_for(budget, inputs, gates):\n"
            "    return int(np.sqrt(budget / gates))",
            "need room",
        ),
    ],
    "interval_of_difference": [
        (
            "def interval_of_difference(a, b):\n"
            "    spread = (np.var(a, ddof=1) + np.var(b, ddof=1)) ** 0.5\n"
            "    half = 2.776 * spread / 5**0.5\n"
            "    middle = a.mean() - b.mean()\n"
            "    return middle - half, middle + half",
            "add up the spreads",
        ),
        (
            "def interval_of_difference(a, b):\n"
            "    d = b - a\n"
            "    half = 2.776 * np.std(d, ddof=1) / 5**0.5\n"
            "    return d.mean() - half, d.mean() + half",
            "a minus b",
        ),
        (
            "def interval_of_difference(a, b):\n"
            "    d = np.asarray(a) - np.asarray(b)\n"
            "    half = 2.776 * d.std() / np.sqrt(5)\n"
            "    return d.mean() - half, d.mean() + half",
            "(ddof)",
        ),
        (
            "def interval_of_difference(a, b):\n"
            "    d = a - b\n"
            "    half = 2.776 * d.std(ddof=1)\n"
            "    return d.mean() - half, d.mean() + half",
            "single differences",
        ),
        (
            "def interval_of_difference(a, b):\n"
            "    d = a - b\n"
            "    half = 1.96 * torch.std(torch.as_tensor(d)) / 5**0.5\n"
            "    return d.mean() - half, d.mean() + half",
            "very many seeds",
        ),
        (
            "def interval_of_difference(a, b):\n"
            "    d = a - b\n"
            "    return d.mean(), 2.776 * d.std(ddof=1) / 5**0.5",
            "mean and half",
        ),
    ],
    "verdict": [
        (
            "def verdict(low, high):\n"
            "    if high < 0:\n"
            "        return 'b'\n"
            "    return 'a' if low > 0 else 'undecided'",
            "Lower is better",
        ),
        (
            "def verdict(low, high):\n"
            "    middle = (low + high) / 2\n"
            "    return 'a' if middle < 0 else 'b'",
            "The middle of",
        ),
        (
            "def verdict(low, high):\n"
            "    if low < 0:\n"
            "        return 'a'\n"
            "    return 'b' if high > 0 else 'undecided'",
            "the whole interval",
        ),
    ],
}
