"""Writes reference.csv: values of the models at 40 digits, for the tests.

Run: pip install mpmath gmpy2 && python3 reference.py > reference.csv
The formulas are the textbooks' (hypergeometric functions, densities), evaluated by
mpmath with Gauss-Legendre panels; none of the rearrangements that the Go code makes to
be fast is used. Cases are random but fixed by a seed; inputs are exact float64 values.
"""
import random
import sys
from mpmath import mp, mpf, log, exp, gamma, loggamma, expm1, log1p, hyp2f1, expint

mp.dps = 40
RULE = None
DELTA = 0.0027  # a week, as the test has it


def rule(n=24):
    """Nodes and weights of Gauss-Legendre on [0, 1]."""
    global RULE
    if RULE is None:
        RULE = []
        for i in range(n):
            x = mp.cos(mp.pi * (mpf(i) + mpf(3) / 4) / (n + mpf(1) / 2))
            for _ in range(10):
                p, d = mp.legendre(n, x), n * (x * mp.legendre(n, x) - mp.legendre(n - 1, x)) / (x * x - 1)
                x -= p / d
            d = n * (x * mp.legendre(n, x) - mp.legendre(n - 1, x)) / (x * x - 1)
            RULE.append(((1 + x) / 2, 1 / ((1 - x * x) * d * d)))
    return RULE


def panels(f, lo, hi, width):
    n = int(mp.ceil((hi - lo) / width))
    h = (hi - lo) / n
    return h * sum(w * f(lo + h * (i + u)) for i in range(n) for u, w in rule())


def beta_mean(f, a, b, left):
    """Mean of f(p, 1-p) over Beta(a, b); f is constant where p < 1e-22/left."""
    a, b = mpf(a), mpf(b)
    c = a + b
    sd = 1 / mp.sqrt(a * b / c)
    mode = log(a / b)
    width = min(mpf(1), sd) * mpf("0.7")

    def weight(y):
        return exp(a * (y - mode) - c * (log1p(exp(y)) - log1p(exp(mode))))

    lo = hi = mode
    smallest = log(mpf(10) ** -22 / (left + c + 1))
    while lo > smallest and weight(lo) * exp((mode - lo)) > mpf(10) ** -24:
        lo -= width
    while hi < 52 + log(left + c + 1) and weight(hi) > mpf(10) ** -24:
        hi += width
    top = bottom = mpf(0)
    n = int(mp.nint((hi - lo) / width))
    for i in range(n):
        for u, w in rule():
            y = lo + width * (i + u)
            q = 1 / (1 + exp(y))
            p = 1 / (1 + exp(-y))
            k = w * weight(y) * width
            bottom += k
            top += k * f(p, q)
    # Beyond the ends f is constant and the weights are exponential.
    ends = ((weight(lo) / a, 1 / (1 + exp(-lo)), 1 / (1 + exp(lo))), (weight(hi) / b, 1 / (1 + exp(-hi)), 1 / (1 + exp(hi))))
    for k, p, q in ends:
        bottom += k
        top += k * f(p, q)
    return top / bottom


def mbg_alive(loyal, r, al, a, b, x, tx, T):
    if loyal and x == 0:
        return mpf(1)
    bb = b + x - 1 if loyal else b + x
    return 1 / (1 + a / bb * ((al + T) / (al + tx)) ** (r + x))


def mbg_expected(loyal, r, al, a, b, x, tx, T, t):
    bb = b + x + (0 if loyal else 1)
    z, R = t / (al + T), r + x
    w = z / (1 + z)
    terms = 60 / -log(w) + R * z
    if terms < 3000 and abs(a - 1) > 1e-3:
        with mp.workdps(80):
            v = (a + bb - 1) / (a - 1) * (1 - (1 - w) ** R * hyp2f1(R, bb, a + bb - 1, w))
    else:
        v = beta_mean(lambda p, q: -expm1(-R * log1p(p * z)) / p, a, bb, (R + 1) * (z + 1))
    return v * mbg_alive(loyal, r, al, a, b, x, tx, T)


def mbg_dert(loyal, r, al, a, b, x, tx, T, delta):
    bb = b + x + (0 if loyal else 1)
    R, A = r + x, al + T

    def k(p, q):
        X = A * delta / p
        with mp.workdps(48):
            if X > 1e6 * (R + 1):
                # asymptotic series of 1 - X e^X E_R(X)
                s, term = mpf(0), mpf(1)
                for i in range(40):
                    term *= -(R + i) / X
                    s -= term
                return s / p
            return (1 - X * exp_expint(R, X)) / p

    return beta_mean(k, a, bb, (R + 1) / (A * delta) + 1) * mbg_alive(loyal, r, al, a, b, x, tx, T)


def exp_expint(R, X):
    """e^X E_R(X), by its continued fraction where that converges fast."""
    if X < 1 and R < 5:
        return exp(X) * expint(R, X)
    n, before = 24, None
    while True:
        f = X + R + 2 * n
        for i in range(n, 0, -1):
            f = X + R + 2 * (i - 1) - i * (R + i - 1) / f
        if before is not None and abs(f - before) < abs(f) * mpf(10) ** -38 or n > 40000:
            return 1 / f
        n, before = n * 2, f


def mbg_ll(loyal, r, al, a, b, x, tx, T):
    R = r + x
    v = loggamma(R) - loggamma(r) + r * log(al)
    if loyal:
        v += loggamma(a + b) + loggamma(b + x) - loggamma(b) - loggamma(a + b + x)
        s = (al + T) ** -R + (a / (b + x - 1) * (al + tx) ** -R if x > 0 else 0)
    else:
        v += loggamma(a + b) + loggamma(b + x + 1) - loggamma(b) - loggamma(a + b + x + 1)
        s = (al + T) ** -R + a / (b + x) * (al + tx) ** -R
    return v + log(s)


def pareto_power(p, q, a, b, length):
    """Integral of (1+u/a)^-p (1+u/b)^-q, u from 0 to length."""
    m = min(a, b)
    total, u, e0 = mpf(0), mpf(0), None
    while u < length:
        rate = (p + 1) / (a + u) + (q + 1) / (b + u)
        h = min(length - u, mpf("1.5") / rate)
        part = h * sum(w * exp(-p * log1p((u + h * g) / a) - q * log1p((u + h * g) / b)) for g, w in rule())
        total += part
        u += h
        if part < total * mpf(10) ** -26 and rate * u > 50:
            break
    return total


def pn_dead(r, al, s, be, x, tx, T):
    if T == tx:
        return mpf(0)
    j = pareto_power(r + x, s + 1, al + tx, be + tx, T - tx)
    return s / (be + tx) * exp((r + x) * log((al + T) / (al + tx)) + s * log((be + T) / (be + tx))) * j


def pn_expected(r, al, s, be, x, tx, T, t):
    pa = 1 / (1 + pn_dead(r, al, s, be, x, tx, T))
    B = be + T
    live = B * log((B + t) / B) if s == 1 else B / (s - 1) * (1 - (B / (B + t)) ** (s - 1))
    return pa * (r + x) / (al + T) * live


def pn_some(r, al, s, be, x, tx, T, t):
    pa = 1 / (1 + pn_dead(r, al, s, be, x, tx, T))
    return pa * (r + x) / (al + T) * pareto_power(r + x + 1, s, al + T, be + T, t)


def pn_dert(r, al, s, be, x, tx, T, delta):
    pa = 1 / (1 + pn_dead(r, al, s, be, x, tx, T))
    X = delta * (be + T)
    with mp.workdps(60):
        e = (be + T) * exp_expint(s, X)
    return pa * (r + x) / (al + T) * e


def pn_ll(r, al, s, be, x, tx, T):
    d = pn_dead(r, al, s, be, x, tx, T)
    return loggamma(r + x) - loggamma(r) + r * log(al / (al + T)) - x * log(al + T) + s * log(be / (be + T)) + log(1 + d)


def cn_parts(k, r, al, a, b, x, tx, T):
    R = r + k * x
    v = (T - tx) / (al + T)
    c = [mp.rf(R, j) / mp.factorial(j) * v ** j for j in range(k)]
    quiet = ((al + tx) / (al + T)) ** R * sum(c)
    return R, [y / sum(c) for y in c], quiet, quiet / (quiet + a / (b + x))


def cn_expected(k, r, al, a, b, x, tx, T, t):
    R, phase, _, pa = cn_parts(k, r, al, a, b, x, tx, T)
    z = t / (al + T)
    bb = b + x + 1
    roots = [mp.expjpi(mpf(2) * l / k) for l in range(k)]

    def f(p, q):
        with mp.workdps(70):
            p, keep = mpf(p), (1 - mpf(p) if p < 0.5 else mpf(q)) ** (mpf(1) / k)
            total = mpf(0)
            for j in range(k):
                # The mean of keep^(k floor((N+j)/k)) through its discrete Fourier transform.
                g = mpf(0)
                for l in range(k):
                    cl = sum(keep ** -i * roots[(-l * i) % k] for i in range(k)) / k
                    g += cl * (keep * roots[l]) ** j * (1 + z * (1 - keep * roots[l])) ** -(R + j)
                total += phase[j] * (1 - mp.re(g)) / p
            return total

    return pa * beta_mean(f, a, bb, (R + k) * (z + 1))


def cn_dert(k, r, al, a, b, x, tx, T, delta):
    R, phase, _, pa = cn_parts(k, r, al, a, b, x, tx, T)
    age, bb, total = al + T, b + x + 1, mpf(0)
    for j in range(k):
        if phase[j] == 0:
            continue
        shape = R + j

        def summand(y):
            rate = exp(y)
            tick = -log1p(delta / rate)
            weight = exp(shape * (y + log(age)) - age * rate - loggamma(shape) + (k - j) * tick)
            less = -expm1(k * tick)
            with mp.workdps(90):
                return weight * hyp2f1(1, a, a + bb, 1 - 1 / less) / less

        middle = log(shape / age)
        low = min(middle, log(delta)) - 60 / (shape + k - j)
        high = log((shape + 70 + 12 * mp.sqrt(shape)) / age)
        total += phase[j] * panels(summand, low, high, min(mpf("0.8"), 1 / mp.sqrt(shape)))
    return pa * total


def cn_some(k, r, al, a, b, x, tx, T, t):
    R, phase, _, pa = cn_parts(k, r, al, a, b, x, tx, T)
    with mp.workdps(80):
        w = t / (al + T + t)
        s = mpf(0)
        for j in range(k):
            s += phase[j] * (1 - sum(mp.rf(R + j, i) / mp.factorial(i) * w ** i * (1 - w) ** (R + j) for i in range(k - j)))
        return pa * s


def discounted(delta, t, scale, rate):
    """Integral of e^(-delta s) rate(s), s from 0 to t; rate bends first within scale."""
    total, u, h = mpf(0), mpf(0), scale / 2
    while u < t and delta * u < 80:
        h = min(h, t - u, 1 / delta)
        total += panels(lambda s: exp(-delta * s) * rate(s), u, u + h, h)
        u += h
        h = u / 2 + scale / 2
    return total


def mbg_discounted(loyal, r, al, a, b, x, tx, T, t, delta):
    R, age, bb = r + x, al + T, b + x + (0 if loyal else 1)
    v = discounted(delta, t, age / (R + 1), lambda s: R / age * hyp2f1(R + 1, a, a + bb, -s / age))
    return v * mbg_alive(loyal, r, al, a, b, x, tx, T)


def pn_discounted(r, al, s, be, x, tx, T, t, delta):
    pa = 1 / (1 + pn_dead(r, al, s, be, x, tx, T))
    B = be + T
    return pa * (r + x) / (al + T) * discounted(delta, t, B / (s + 1), lambda u: exp(-s * log1p(u / B)))


def floats(*v):
    return [float(y) for y in v]


def main():
    rnd = random.Random(20260101)
    out = []

    def emit(model, k, params, x, tx, T, what, arg, value):
        out.append(",".join([model, str(k)] + [repr(p) for p in params] + [str(x), repr(tx), repr(T), what, repr(arg), mp.nstr(value, 22)]))

    def times():
        x = rnd.choice([0, 0, 1, 2, 3, 7, 20, 100, int(10 ** rnd.uniform(0, 5)), 100000])
        T = rnd.choice([0.0, 1 / 7, rnd.uniform(0, 40), rnd.uniform(0, 2609), rnd.uniform(0, 18262), 2609.0])
        tx = 0.0 if x == 0 else rnd.choice([T, T * rnd.random(), T * rnd.random() ** 0.05])
        t = rnd.choice([10 ** rnd.uniform(-6, 4.26), rnd.uniform(0, 104), 39.0, 52.0])
        delta = 10 ** rnd.uniform(-5, -1)
        return (x,) + tuple(floats(tx, T, t, delta))

    def params(wide):
        lim = 6 if wide else 3
        near = rnd.random() < 0.25
        return floats(*[10 ** (rnd.uniform(-1, 1) if near else rnd.uniform(-lim, lim)) for _ in range(4)])

    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 160
    for i in range(jobs):
        wide = i % 3 == 2
        P = params(wide)
        if i % 10 == 0:
            P[2] = 1 + rnd.choice([0, 1e-9, -1e-6])
        x, tx, T, t, delta = times()
        m = [mpf(p) for p in P]
        X, TX, TT, t_, d_ = mpf(x), mpf(tx), mpf(T), mpf(t), mpf(delta)
        for name, loyal in (("MBG/NBD", False), ("BG/NBD", True)):
            emit(name, 1, P, x, tx, T, "alive", 0.0, mbg_alive(loyal, *m, X, TX, TT))
            emit(name, 1, P, x, tx, T, "expected", t, mbg_expected(loyal, *m, X, TX, TT, t_))
            emit(name, 1, P, x, tx, T, "some", t, mbg_alive(loyal, *m, X, TX, TT) * (1 - mp.power((m[1] + TT) / (m[1] + TT + t_), m[0] + X)) if t > 1e-9 else 0)
            emit(name, 1, P, x, tx, T, "likelihood", 0.0, mbg_ll(loyal, *m, X, TX, TT))
            if not (loyal and x == 0):
                bb = m[3] + X - (1 if loyal else 0)
                emit(name, 1, P, x, tx, T, "until", 0.3, (m[1] + TX) * (mpf(1 - 0.3) / mpf(0.3) * bb / m[2]) ** (1 / (m[0] + X)) - m[1])
            if i % 8 == 0:
                emit(name, 1, P, x, tx, T, "dert", delta, mbg_dert(loyal, *m, X, TX, TT, d_))
        emit("Pareto/NBD", 1, P, x, tx, T, "alive", 0.0, 1 / (1 + pn_dead(*m, X, TX, TT)))
        emit("Pareto/NBD", 1, P, x, tx, T, "expected", t, pn_expected(*m, X, TX, TT, t_))
        emit("Pareto/NBD", 1, P, x, tx, T, "some", t, pn_some(*m, X, TX, TT, t_))
        emit("Pareto/NBD", 1, P, x, tx, T, "likelihood", 0.0, pn_ll(*m, X, TX, TT))
        emit("Pareto/NBD", 1, P, x, tx, T, "dert", delta, pn_dert(*m, X, TX, TT, d_))
        k = 2 + i % 3
        emit("MBG/CNBD", k, P, x, tx, T, "alive", 0.0, cn_parts(k, *m, X, TX, TT)[3])
        emit("MBG/CNBD", k, P, x, tx, T, "some", t, cn_some(k, *m, X, TX, TT, t_))
        if i % 3 != 1:
            emit("MBG/CNBD", k, P, x, tx, T, "expected", t, cn_expected(k, *m, X, TX, TT, t_))
        print(i, file=sys.stderr, flush=True)
    # Discounted within a horizon: the argument is the horizon, at a rate of DELTA.
    for i in range(jobs // 4):
        P = params(False)
        if i % 8 == 0:
            P[2] = 1.0
        x = rnd.choice([0, 0, 1, 2, 7, 26, 300])
        T = rnd.choice([0.0, 1 / 7, 31.0, 260.0])
        tx, t = floats(0 if x == 0 else T * rnd.random() ** 0.2, rnd.choice([4.0, 13.0, 52.0, 156.0]))
        m = [mpf(p) for p in P]
        X, TX, TT, t_, d_ = mpf(x), mpf(tx), mpf(T), mpf(t), mpf(DELTA)
        emit("MBG/NBD", 1, P, x, tx, T, "discounted", t, mbg_discounted(False, *m, X, TX, TT, t_, d_))
        emit("BG/NBD", 1, P, x, tx, T, "discounted", t, mbg_discounted(True, *m, X, TX, TT, t_, d_))
        emit("Pareto/NBD", 1, P, x, tx, T, "discounted", t, pn_discounted(*m, X, TX, TT, t_, d_))
        print("discounted", i, file=sys.stderr, flush=True)
    # Regular buyers for ever; with dice of their own, so that the rows above stay as they are.
    rnd = random.Random(20260102)
    for i in range(jobs // 4):
        P = floats(*[10 ** rnd.uniform(-1, 1) if i % 2 else 10 ** rnd.uniform(-3, 3) for _ in range(4)])
        k, x = 2 + i % 3, rnd.choice([0, 0, 1, 2, 7, 26, 300])
        T = rnd.choice([0.0, 1 / 7, 31.0, 260.0])
        tx, delta = floats(0 if x == 0 else T * rnd.random() ** 0.2, 10 ** rnd.uniform(-4, -1))
        emit("MBG/CNBD", k, P, x, tx, T, "dert", delta, cn_dert(k, *[mpf(p) for p in P], mpf(x), mpf(tx), mpf(T), mpf(delta)))
        print("regular", i, file=sys.stderr, flush=True)
    print("model,k,p1,p2,p3,p4,x,tx,T,quantity,argument,value")
    print("\n".join(out))


main()
