// The client library is written for a newer Node than the oldest that these tests run on.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};

// It also tells much; a test says what is wrong by failing. (Its loggers take these functions when it is loaded.)
for (const level of ["trace", "debug", "info", "log", "warn", "error"]) console[level] = () => {};
