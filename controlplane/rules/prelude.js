// What a rule file finds in its context: Objectives, constants, and the builders of conditions.
// Evaluated first, on one line's worth of trust: afterwards the intrinsics are frozen.
// `SETUP` (a JSON text) is prepended by the child: {objectives: "\n...\n", open: false, constants: {...}, depth: N}.
(function (setup) {
  "use strict";
  const stringify = JSON.stringify, keys = Reflect.ownKeys, objectKeys = Object.keys, isArray = Array.isArray;
  const isInteger = Number.isInteger, isSafe = Number.isSafeInteger, isFinite = Number.isFinite;
  const is = Object.is, prototypeOf = Object.getPrototypeOf, objectPrototype = Object.prototype;
  const assign = Object.assign, fromEntries = Object.fromEntries, hasOwn = Object.hasOwn, parse = JSON.parse;
  const freezeObject = Object.freeze;
  const global = globalThis, Error = global.Error, MAX_ASKED = 1000;

  // An error whose code the host understands, which no error of a rule's can be. Of an unknown name the text is
  // the name.
  const codes = new WeakMap();
  function fail(code, text) {
    const error = new Error(text);
    codes.set(error, code);
    throw error;
  }

  // The engine calls this for whatever is thrown, with the places that it knows itself: no text can forge them.
  // Of an error of syntax it gives one place, without a function.
  let last = null;
  const InternalError = global.InternalError, toText = String;
  delete global.InternalError;
  Error.prepareStackTrace = (thrown, sites) => {
    const lines = sites.map((each) => each.getLineNumber());  // null where the engine's own functions are
    const line = lines.find((each) => each !== null && each <= setup.last_line) ?? 0;
    last = {thrown, line, syntax: sites.length === 1 && sites[0].getFunctionName() === null};
    return "";
  };
  // Frozen, these would still take a value: they are accessors, and the engine goes by what they were given.
  Object.defineProperty(Error, "prepareStackTrace", {value: undefined, writable: false, configurable: false});
  Object.defineProperty(Error, "stackTraceLimit", {value: 10, writable: false, configurable: false});

  // What was thrown last, for the host; null when the engine threw nothing, but failed. A thrown object may
  // throw in turn when it is looked at.
  function why() {
    if (last === null) return null;
    const {thrown, line, syntax} = last;
    const told = {said: "", line, syntax, code: codes.get(thrown) ?? "", engine: "", value: "an object"};
    try {
      if (thrown instanceof InternalError) told.engine = thrown.message;
      if (thrown instanceof Error || typeof thrown === "string") told.value = "";
      else told.value = typeof thrown === "object" ? canonical(thrown, "", 0, []) : toText(thrown);
    } catch {}
    try {
      told.said = toText(thrown);
    } catch {}
    return told;
  }

  // What there is under some names, and nothing else: `find` gives one value, `all` an object with every one.
  // A file names few of an organization's objectives. So they become properties only for who looks at the
  // object as a whole: every other trap fills it first, and nothing sees it before it is frozen.
  // `asked` takes every name that was looked for, and null when that is too much, or all of them were looked at.
  function closedSet(find, all, code, what, open, asked) {
    let full = false;
    function fill(target) {
      asked.add(null);
      if (!full) freezeObject(assign(target, all()));
      full = true;
      return target;
    }
    const traps = {
      get(target, name) {
        if (typeof name === "symbol") return target[name];
        asked.add(asked.size < MAX_ASKED && name.length < MAX_ASKED ? name : null);
        const value = find(name);
        if (value !== undefined) return value;
        if (open) return name;
        fail(code, name);
      },
      set() { throw new TypeError(what + "s are read-only"); },
    };
    for (const trap of ["has", "ownKeys", "getOwnPropertyDescriptor", "defineProperty", "deleteProperty",
      "isExtensible", "preventExtensions", "setPrototypeOf"]) {
      const plain = Reflect[trap];
      traps[trap] = (target, ...rest) => plain(fill(target), ...rest);
    }
    return new Proxy({}, traps);
  }

  // `text` is a line of JSON for each name, "\n" before and after it: what a name encodes to has no "\n".
  function namedSet(text, code, what, open, asked) {
    const found = new Set();
    const find = (name) => {
      if (found.has(name)) return name;
      return text.includes("\n" + stringify(name) + "\n") ? (found.add(name), name) : undefined;
    };
    const names = () => parse("[" + text.trim().replaceAll("\n", ",") + "]");
    const all = () => fromEntries(names().map((name) => [name, name]));
    return closedSet(find, all, code, what, open, asked);
  }

  const SIGNS = ["==", "<", "<=", ">", ">="];

  // What is given beyond what is taken would be dropped without a word.
  function exactly(count, method, given) {
    if (given.length === count) return given;
    const takes = ["nothing", "one value", "two values"][count];
    throw new TypeError(method + "() takes " + takes + ", not " + given.length + " values");
  }

  function typed(types, what, method, given) {
    for (const value of given)
      if (!types.includes(typeof value)) {
        const kind = value instanceof RegExp ? "a RegExp: quote the pattern" : typeof value;
        throw new TypeError(method + "() takes " + what + ", not " + kind);
      }
    return given;
  }
  const scalars = (...rest) => typed(["string", "number", "boolean"], "strings, numbers and booleans", ...rest);
  const texts = (...rest) => typed(["string"], "strings", ...rest);
  const numbers = (...rest) => typed(["number"], "a number", ...rest);

  // The methods of an attribute. Types are checked here, where an error names the author's line; what a value
  // means (a date, a network, a pattern, a version) is checked by the host, as in YAML.
  function attribute(...given) {
    const [name] = exactly(1, "attribute", given);
    if (typeof name !== "string" || !name) throw new TypeError("an attribute's name is a string");
    const compare = (op, values) => ({__proto__: open, attribute: name, op, values});
    const some = (method, op, kind) => (...values) => {
      if (!values.length) throw new TypeError(name + "." + method + "() needs at least one value");
      return compare(op, kind(name + "." + method, values));
    };
    const one = (method, op, kind) => (...values) =>
      compare(op, kind(name + "." + method, exactly(1, name + "." + method, values)));
    const signed = (method, signs, sign) => {
      if (!signs.includes(sign))
        throw new TypeError(method + "() compares by one of " + signs.join(" ") + ", not " + sign);
      return method + " " + sign;
    };
    const strictly = (options) => {
      if (options === null || typeof options !== "object")
        throw new TypeError("semver() takes {strict: true} at its end, not " + stringify(options));
      for (const key of objectKeys(options))
        if (key !== "strict" || typeof options[key] !== "boolean")
          throw new TypeError("semver() takes {strict: true} at its end, not " + stringify(options));
      return options.strict ? "strict " : "";
    };
    const parts = (method, suffix) => ({
      prefix: some(method + "prefix", "prefix" + suffix, texts),
      suffix: some(method + "suffix", "suffix" + suffix, texts),
      contains: some(method + "contains", "contains" + suffix, texts),
    });
    return freezeObject({
      __proto__: unbuilt,
      in: some("in", "in", scalars),
      eq: one("eq", "in", scalars),
      ...parts("", ""),
      ignoringCase: freezeObject({
        __proto__: unbuilt,
        in: some("ignoringCase.in", "in ignoring case", texts),
        eq: one("ignoringCase.eq", "in ignoring case", texts),
        ...parts("ignoringCase.", " ignoring case"),
      }),
      matches: some("matches", "matches", texts),
      lt: one("lt", "<", numbers), le: one("le", "<=", numbers),
      gt: one("gt", ">", numbers), ge: one("ge", ">=", numbers),
      before: one("before", "before", texts),
      after: one("after", "after", texts),
      inNetwork: some("inNetwork", "in network", texts),
      semver: (sign, version, ...options) => {
        const op = signed("semver", [...SIGNS, "~", "^"], sign);
        if (options.length) exactly(1, name + ".semver's options", options);
        return compare((options.length ? strictly(options[0]) : "") + op, texts(name + ".semver", [version]));
      },
      hasAny: some("hasAny", "has any", scalars),
      hasAll: some("hasAll", "has all", scalars),
      size: (sign, ...count) => one("size", signed("size", SIGNS, sign), numbers)(...count),
      exists: (...given) => compare("exists", exactly(0, name + ".exists", given)),
    });
  }

  // Conditions and attributes have no value before a request comes, so JavaScript can't make a text or a number
  // of one. Nothing can be seen of `||` and the like: those are found in the text.
  const open = freezeObject(Object.create(objectPrototype, {
    [Symbol.toPrimitive]: {value() { fail("CONDITION_OPERATOR", "an operator can't tell what a request will be"); }},
  }));

  // What an attribute, or context.user, hasn't is said by its name: the engine says "not a function" of any.
  const unbuilt = new Proxy(open, {
    get(target, name, attribute) {
      if (typeof name === "symbol" || name in target || name === "then" || name === "toJSON") return target[name];
      throw new TypeError("nothing is compared by " + name + ": use one of " + objectKeys(attribute).join(", "));
    },
  });

  function conditions(name, given) {
    if (!given.length) throw new TypeError(name + "() needs at least one condition");
    for (const condition of given)
      if (typeof condition !== "object" || condition === null)
        throw new TypeError(name + "() takes conditions, not " + typeof condition);
    return given;
  }

  const context = {attribute};
  for (const name of ["country", "device", "locale", "surface"]) context[name] = attribute(name);
  context.user = Object.freeze({
    __proto__: unbuilt,
    in: (...users) => {
      if (!users.length) throw new TypeError("user.in() needs at least one user");
      for (const user of users)
        if (typeof user !== "string") throw new TypeError("user.in() takes strings, not " + typeof user);
      return {__proto__: open, users};
    },
  });

  // Which segments there are, no rule can ask: what a file gives doesn't depend on segments.yaml.
  function segment(...given) {
    const [name] = exactly(1, "segment", given);
    if (typeof name !== "string" || !name) throw new TypeError("a segment's name is a string");
    return {__proto__: open, segment: name};
  }

  const asked = new Set();
  const constant = (name) => hasOwn(setup.constants, name) ? setup.constants[name] : undefined;
  const given = {
    // When objectives.yaml can't be read any name will do: what is wrong is known, and is said there.
    Objectives: namedSet(setup.objectives, "UNKNOWN_OBJECTIVE", "objective", setup.open, asked),
    constants: closedSet(constant, () => setup.constants, "UNKNOWN_CONSTANT", "constant", false, new Set()),
    context: closedSet((name) => hasOwn(context, name) ? context[name] : undefined, () => context,
      "UNKNOWN_ATTRIBUTE", "attribute", false, new Set()),
    all: (...inner) => ({__proto__: open, all: conditions("all", inner)}),
    any: (...inner) => ({__proto__: open, any: conditions("any", inner)}),
    not: (...inner) => ({__proto__: open, not: conditions("not", exactly(1, "not", inner))[0]}),
  };
  for (const name of Object.keys(given))
    Object.defineProperty(global, name, {value: given[name], writable: false, configurable: false});
  // Configurable: a file may have a `segment` of its own.
  Object.defineProperty(global, "segment", {value: segment, writable: false, configurable: true});

  // The same rules give the same result: what looks at the clock, at chance, at other threads, at the
  // garbage collector or at the machine's language is out of reach, and says so.
  const forbid = (owner, name, label) => {
    if (!owner || !Object.hasOwn(owner, name)) return;
    const refuse = () => fail("NOT_DETERMINISTIC", label + " is not deterministic");
    Object.defineProperty(owner, name, {get: refuse, set: refuse, configurable: false});
  };
  for (const name of ["Date", "performance", "WeakRef", "FinalizationRegistry", "Atomics", "SharedArrayBuffer",
    "Intl", "setTimeout", "setInterval", "queueMicrotask", "console", "print", "os", "std", "bjson", "navigator"])
    forbid(global, name, name);
  forbid(Math, "random", "Math.random");
  // Nor does code run that stands in no file: nobody could look at it before.
  const hidden = () => fail("HIDDEN_CODE", "code that is made of a text is out of reach");
  Object.defineProperty(global, "eval", {get: hidden, set: hidden, configurable: false});
  function noFunction() { hidden(); }
  noFunction.prototype = Function.prototype;
  for (const sample of [function () {}, async function () {}, function* () {}, async function* () {}])
    Object.defineProperty(prototypeOf(sample), "constructor", {value: noFunction});
  Object.defineProperty(global, "Function", {value: noFunction});
  for (const [owner, label] of [[String, "String"], [Number, "Number"], [Array, "Array"], [Object, "Object"], [BigInt, "BigInt"]])
    for (const name of Object.getOwnPropertyNames(owner.prototype))
      if (name.includes("Locale") || name.startsWith("locale")) forbid(owner.prototype, name, label + "." + name);

  // What any rule can reach is frozen: none can change what another, or the walk below, sees.
  // The closed sets are frozen by themselves: to walk through them here would fill them.
  const seen = new Set([given.Objectives, given.constants, given.context]);
  function freeze(value) {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
    seen.add(value);
    if (value !== global) Object.freeze(value);
    for (const key of keys(value)) {
      const property = Reflect.getOwnPropertyDescriptor(value, key);
      if ("value" in property) freeze(property.value);
      else { freeze(property.get); }
    }
    freeze(prototypeOf(value));
  }
  freeze(context);
  freeze(global);
  for (const sample of [async function () {}, function* () {}, async function* () {}, [][Symbol.iterator](), /x/g])
    freeze(sample);

  // UTF-8, and with it every protocol here, has no half of a surrogate pair.
  function wellFormed(text, place) {
    if (/\p{Surrogate}/u.test(text)) fail("NOT_JSON", place.replace(/\p{Surrogate}/gu, "?") + " has half a surrogate pair");
  }

  // Returns canonical JSON (keys sorted), or fails with the path of the first value that JSON can't carry.
  function canonical(value, path, depth, parents) {
    const place = path.length > 80 ? path.slice(0, 77) + "..." : path || "the result";
    const bad = (what, code) => fail(code || "NOT_JSON", place + " is " + what);
    switch (typeof value) {
      case "string": wellFormed(value, place); return stringify(value);
      case "boolean": return stringify(value);
      case "number":
        if (!isFinite(value)) bad(String(value));
        if (is(value, -0)) bad("-0");
        if (isInteger(value) && !isSafe(value)) bad("an integer above 2^53, which is not exact: write it as a string");
        return stringify(value);
      case "object": break;
      default: bad(typeof value === "undefined" ? "undefined" : "a " + typeof value);
    }
    if (value === null) return "null";
    if (value === given.context) bad("context itself: write context.country.eq(...), say");
    if (value === given.Objectives || value === given.constants) bad("all of a set: write one name of it");
    if (depth > setup.depth) bad("nested deeper than " + setup.depth + " levels", "TOO_DEEP");
    if (parents.includes(value)) bad("part of itself");
    if (typeof value.then === "function") bad("a promise or another thenable", "THENABLE");
    const inside = [...parents, value], parts = [];
    if (isArray(value)) {
      if (objectKeys(value).length > value.length) bad("a list that has more than its elements");
      for (let i = 0; i < value.length; i++) parts.push(canonical(value[i], path + "[" + i + "]", depth + 1, inside));
      return "[" + parts.join(",") + "]";
    }
    const prototype = prototypeOf(value);
    if (prototype === unbuilt) {
      const method = "eq" in value ? "eq" : "in";
      bad("an attribute that is compared with nothing: write ." + method + "(...) after it, say");
    }
    if (prototype !== objectPrototype && prototype !== open && prototype !== null) bad("not a plain object");
    for (const key of keys(value)) if (typeof key === "symbol") bad("an object with a symbol for a key");
    for (const key of objectKeys(value).sort()) {
      wellFormed(key, place);
      parts.push(stringify(key) + ":" + canonical(value[key], path + "." + key, depth + 1, inside));
    }
    return "{" + parts.join(",") + "}";
  }

  // What all rules of a file see, none may change: the next would be another for it, and be blamed.
  function freezeAll(values) {
    for (const value of values)
      try { freeze(value); } catch {}  // such as a list of bytes, which can't be
  }

  // The host's way in, which no rule can reach: the names of the rules, what one of them returns, (null) which
  // objectives were asked for so far, or (false) why the last call failed. Of a list all is frozen.
  const RULE = /^define[^]*Rule$/;
  const isRule = (name) => typeof name === "string" && RULE.test(name) && typeof global[name] === "function";
  return (name) => {
    if (name === undefined) return stringify(keys(global).filter(isRule));
    if (name === null) return stringify([...asked]);
    if (name === false) return stringify(why());
    if (isArray(name)) return freezeAll(name);
    last = null;
    const value = global[name]();
    if (value === null || typeof value !== "object")
      fail("NOT_JSON", "the result is " + (value === null ? "null" : "no object but " + typeof value));
    // Stringified once more: a long text built by + is a rope, which the host's wrapper can't take.
    return stringify(canonical(value, "", 0, []));
  };
})
