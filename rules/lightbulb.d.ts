/**
 * What rule files find, and what they return: for editors. With these two lines at the top of a file,
 * misspelt objectives and constants are underlined as you type; with the third before a function,
 * models without a name and unknown keys too (AbRule, DefaultRule, ... are declared below):
 *
 *   // @ts-check
 *   /// <reference path="lightbulb.d.ts" />
 *   /** @returns {AbRule} *\/
 *
 * Every top-level function whose name is define...Rule is a rule (a function, not a variable); it is called once, when you publish,
 * and never for a request. It may use anything of JavaScript but what differs from run to run
 * (Date, Math.random, locale functions) and what is asynchronous.
 */

/** Objectives of objectives.yaml. Add yours here too, or your editor takes them for misspelt. */
declare const Objectives: {
  readonly ContinueWatchingRanking: Objective;
  readonly PaymentFraudDetection: Objective;
};

declare const constants: {
  readonly TITLE_INPUT_TYPE: InputType;
  readonly TRANSACTION_INPUT_TYPE: InputType;
  readonly QUERY_INPUT_TYPE: InputType;
  readonly USER_INPUT_TYPE: InputType;
};

/** Attributes of the request's context. An attribute that a request doesn't have meets no comparison. */
declare const context: {
  /** ISO 3166-1 alpha-2, in capitals: "US". */
  readonly country: Attribute;
  /** "tv-roku". */
  readonly device: Attribute;
  /** BCP 47: "en-US". */
  readonly locale: Attribute;
  /** "home", "search", "kids". */
  readonly surface: Attribute;
  /** An attribute of your own, under the name that the client sends. */
  attribute(name: string): Attribute;
  /** Who is asking. For more than a few users, make a segment. */
  readonly user: {
    /** One of these users, by their ids. */
    in(...users: string[]): Condition;
  };
};

/** Who is in a segment of segments.yaml. */
declare function segment(name: string): Condition;

/** True when every condition is. */
declare function all(...conditions: Condition[]): Condition;
/** True when at least one condition is. */
declare function any(...conditions: Condition[]): Condition;
/** True when the condition is not. */
declare function not(condition: Condition): Condition;

type Objective = string & {readonly __objective: unique symbol};
type InputType = string & {readonly __inputType: unique symbol};
type Scalar = string | number | boolean;
type Sign = "==" | "<" | "<=" | ">" | ">=";

/** Comparisons of a whole text, or of a part of it. */
interface Texts {
  /** Equal to one of the values. */
  in(...values: string[]): Condition;
  /** Equal to the value. */
  eq(value: string): Condition;
  /** A text that begins with one of these. */
  prefix(...values: string[]): Condition;
  /** A text that ends with one of these. */
  suffix(...values: string[]): Condition;
  /** A text that has one of these in it. */
  contains(...values: string[]): Condition;
}

interface Attribute extends Omit<Texts, "in" | "eq"> {
  /** Equal to one of the values. */
  in(...values: Scalar[]): Condition;
  /** Equal to the value. */
  eq(value: Scalar): Condition;
  /** The same, with upper and lower case alike: `context.device.ignoringCase.prefix("tv-")`. */
  readonly ignoringCase: Texts;
  /** A text in which one of these regular expressions is found. RE2's syntax: "^tv-(roku|fire)". */
  matches(...patterns: string[]): Condition;
  lt(bound: number): Condition;
  le(bound: number): Condition;
  gt(bound: number): Condition;
  ge(bound: number): Condition;
  /** A date earlier than this one: "2026-01-31" (its midnight, UTC) or "2026-01-31T09:00:00+01:00". */
  before(date: string): Condition;
  /** A date later than this one. */
  after(date: string): Condition;
  /** An IP address in one of these networks: "10.0.0.0/8", "2001:db8::/32". */
  inNetwork(...networks: string[]): Condition;
  /**
   * A version (semver.org) against another. "~": from it on, with the same major and minor number; "^": with
   * the same first number that isn't 0, and those before it. A client's "5.1" or "v5.1" counts as 5.1.0;
   * with `strict` it is no version.
   */
  semver(operator: Sign | "~" | "^", version: string, options?: {strict?: boolean}): Condition;
  /** A list that has one of these in it. */
  hasAny(...values: Scalar[]): Condition;
  /** A list that has all of these in it. */
  hasAll(...values: Scalar[]): Condition;
  /** A list of so many elements. */
  size(operator: Sign, count: number): Condition;
  /** Present at all. */
  exists(): Condition;
}

type Condition =
  | {attribute: string; op: string; values: Scalar[]}
  | {all: Condition[]}
  | {any: Condition[]}
  | {not: Condition}
  | {users: string[]}
  | {segment: string};

/** A model of models.yaml; `version` may be left out while there is only one. */
interface ModelRef {
  name: string;
  version?: string;
  /** Settings that travel to the model in each request. */
  parameters?: {[name: string]: Scalar};
}

interface CommonRule {
  targetObjectives: Objective[];
  /** Must be the objectives' input type. */
  modelInputType: InputType;
  /** For example "SCORER". */
  modelType: string;
}

/** The model of an objective when nothing else applies; each objective needs one. */
interface DefaultRule extends CommonRule {
  defaultModel: ModelRef;
}

/** Cells of an A/B test of experiments.yaml -> models; every cell needs one. */
interface AbRule extends CommonRule {
  abTestId: number | string;
  cellToModel: {[cell: number]: ModelRef};
  /** Decides between tests that could both apply; the higher wins. 0 unless said otherwise. */
  priority?: number;
}

/** The model for contexts that meet a condition. */
interface ContextRule extends CommonRule {
  when: Condition;
  model: ModelRef;
  /** Decides between conditions that could both hold; the higher wins. 0 unless said otherwise. */
  priority?: number;
}

/** Moves `percent` of the users from the default model to another. Raising it only ever adds users. */
interface ShiftRule extends CommonRule {
  shift: {
    from: ModelRef;
    to: ModelRef;
    percent: number;
    /** Who is meant: `percent` is of those. Several shifts of an objective must exclude each other by it. */
    when?: Condition;
    /** What is shifted as one: the user, unless said otherwise. */
    unit?: "user" | "session" | "device" | "account" | (string & {});
    /** What is hashed with the user; by default "shift:", the objective, and the model that it shifts to. */
    salt?: string;
  };
}

/** Models that clients may ask for by name; `clients` left out: every client may; empty: none. */
interface OverridesRule extends CommonRule {
  permitOverrides: ModelRef[];
  clients?: string[];
}

type SwitchboardRule = DefaultRule | AbRule | ContextRule | ShiftRule | OverridesRule;
