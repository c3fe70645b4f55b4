// What rule files find, and what they return: for editors and TypeScript.
// Written by `lightbulb rules types` from the YAML files. Commit it with them; nobody edits it.

/** The objectives of objectives.yaml. */
declare const Objectives: {
  readonly ContinueWatchingRanking: "ContinueWatchingRanking";
  readonly PaymentFraudDetection: "PaymentFraudDetection";
};

/** The input types of objectives. */
declare const constants: {
  readonly QUERY_INPUT_TYPE: "QUERY_INPUT_TYPE";
  readonly TITLE_INPUT_TYPE: "TITLE_INPUT_TYPE";
  readonly TRANSACTION_INPUT_TYPE: "TRANSACTION_INPUT_TYPE";
  readonly USER_INPUT_TYPE: "USER_INPUT_TYPE";
};

/** Input type -> the objectives that have it. */
interface ObjectivesByType {
  TITLE_INPUT_TYPE: "ContinueWatchingRanking";
  TRANSACTION_INPUT_TYPE: "PaymentFraudDetection";
}

/** A model of models.yaml; its version may be left out while there is only one. */
type ModelRef =
  | {
      name:
        | "netflix-continue-watching-model-cell-2"
        | "netflix-continue-watching-model-cell-3"
        | "netflix-continue-watching-model-default"
        | "title-embeddings";
      version?: "1";
      parameters?: ModelParameters;
    }
  | {
      name:
        | "payment-fraud-model";
      version: "1" | "2";
      parameters?: ModelParameters;
    };

/** The A/B tests of experiments.yaml and their cells. */
interface AbTests {
  12345: 1 | 2 | 3;
}

/** The segments of segments.yaml. */
type Segment = never;

/** Attributes of your own: those that the YAML files name, and any other. */
type OwnAttribute = (string & {});

/** Attributes of the request's context. An attribute that a request doesn't have meets no comparison. */
declare const context: Readonly<FixedAttributes> & {
  /** Who is asking. For more than a few users, make a segment. */
  readonly user: {
    /** One of these users, by their ids. */
    in(...users: string[]): Condition;
  };
  attribute<Name extends keyof FixedAttributes>(name: Name): FixedAttributes[Name];
  /** An attribute of your own, under the name that the client sends. */
  attribute(name: OwnAttribute): Attribute;
};

interface FixedAttributes {
  /** ISO 3166-1 alpha-2, in capitals: "US". */
  country: CodeAttribute;
  /** "tv-roku". */
  device: TextAttribute;
  /** BCP 47: "en-US". */
  locale: CodeAttribute;
  /** "home", "search", "kids". */
  surface: TextAttribute;
}

/** Who is in a segment of segments.yaml. */
declare function segment(name: Segment): Condition;

/** True when every condition is. */
declare function all(...conditions: Condition[]): Condition;
/** True when at least one condition is. */
declare function any(...conditions: Condition[]): Condition;
/** True when the condition is not. */
declare function not(condition: Condition): Condition;

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

/** A text that is a code: a country, a locale. */
interface CodeAttribute extends Texts {
  /** The same, with upper and lower case alike: `context.device.ignoringCase.prefix("tv-")`. */
  readonly ignoringCase: Texts;
  /** A text in which one of these regular expressions is found. RE2's syntax: "^tv-(roku|fire)". */
  matches(...patterns: string[]): Condition;
  /** Present at all. */
  exists(): Condition;
}

interface TextAttribute extends CodeAttribute {
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
}

/** An attribute of your own: a text, a number, a boolean, or a list of them. */
interface Attribute extends Omit<TextAttribute, "in" | "eq"> {
  /** Equal to one of the values. */
  in(...values: Scalar[]): Condition;
  /** Equal to the value. */
  eq(value: Scalar): Condition;
  lt(bound: number): Condition;
  le(bound: number): Condition;
  gt(bound: number): Condition;
  ge(bound: number): Condition;
  /** A list that has one of these in it. */
  hasAny(...values: Scalar[]): Condition;
  /** A list that has all of these in it. */
  hasAll(...values: Scalar[]): Condition;
  /** A list of so many elements. */
  size(operator: Sign, count: number): Condition;
}

type Condition =
  | {attribute: string; op: string; values: Scalar[]}
  | {all: Condition[]}
  | {any: Condition[]}
  | {not: Condition}
  | {users: string[]}
  | {segment: string};

/** Settings that travel to the model in each request. */
type ModelParameters = {[name: string]: Scalar};

/** What every rule says, and what tells one kind from another. */
type CommonRule = {
  [Type in keyof ObjectivesByType]: {
    targetObjectives: ObjectivesByType[Type][];
    /** The input type of these objectives. */
    modelInputType: Type;
    /** For example "SCORER". */
    modelType: string;
  };
}[keyof ObjectivesByType];

/** The model of an objective when nothing else applies; each objective needs one. */
type DefaultRule = CommonRule & {
  defaultModel: ModelRef;
  /** Bounds by which a new default is judged, and else held back: "errors:0.5%" or "p99:250ms". */
  guards?: string[];
  /** For how long a new default is judged. "1h" unless said otherwise. */
  judgedFor?: string;
  /** The chance that guards undo a good model; they share it. 0.01 unless said otherwise. */
  alpha?: number;
  /** What is judged as one; longer than clients repeat a request that failed. "10s" unless said otherwise. */
  interval?: string;
  /** Requests before a verdict. 100 unless said otherwise. */
  minSample?: number;
};

/** Cells of an A/B test of experiments.yaml -> models; every cell needs one. */
type AbRule = CommonRule &
  {
    [Id in keyof AbTests]: {
      abTestId: Id | `${Id}`;
      cellToModel: CellToModel<Id>;
      /** Decides between tests that could both apply; the higher wins. 0 unless said otherwise. */
      priority?: number;
    };
  }[keyof AbTests];

/** The models of a test's cells: `CellToModel<1001>`. */
type CellToModel<Id extends keyof AbTests> = {[Cell in AbTests[Id]]: ModelRef};

/** The model for contexts that meet a condition. */
type ContextRule = CommonRule & {
  when: Condition;
  model: ModelRef;
  /** Decides between conditions that could both hold; the higher wins. 0 unless said otherwise. */
  priority?: number;
};

/** Moves users from the default model to another: a share of them, or all in steps that come by themselves. */
type ShiftRule = CommonRule & {
  shift: {from: ModelRef; to: ModelRef} & (
    | {
        /** The share of the users. Raising it only ever adds users. */
        percent: number;
        /** Who is meant: `percent` is of those. Several shifts of an objective must exclude each other by it. */
        when?: Condition;
        /** What is shifted as one: the user, unless said otherwise. */
        unit?: "user" | "session" | "device" | "account" | OwnAttribute;
        /** What is hashed with the user; by default "shift:", the objective, and the model that it shifts to. */
        salt?: string;
        schedule?: never;
        every?: never;
        guards?: never;
      }
    | {
        /** Shares of all users in percent, each more than the one before: [5, 25, 50, 100]. */
        schedule: number[];
        /** How long each step lasts at least: "30m". Left out: an operator takes the next one. */
        every?: string;
        /** What undoes it: "errors:1.25x", "errors:0.5%", "p99:1.2x" or "p99:250ms". */
        guards?: string[];
        /** The chance that guards undo a good model; they share it. 0.01 unless said otherwise. */
        alpha?: number;
        /** What is judged as one; longer than clients repeat a request that failed. "10s" unless said otherwise. */
        interval?: string;
        /** Requests before a verdict. 100 unless said otherwise. */
        minSample?: number;
        percent?: never;
        when?: never;
        unit?: never;
        salt?: never;
      }
  );
};

/** Models that clients may ask for by name; `clients` left out: every client may; empty: none. */
type OverridesRule = CommonRule & {
  permitOverrides: ModelRef[];
  clients?: string[];
};

/**
 * Copies requests to the default to another model, once the rule is active; nobody gets what it answers. The model is
 * loaded, and given to nobody. Up to four of an objective, with the noise floor.
 */
type ShadowRule = CommonRule & {
  shadow: {
    model: ModelRef;
    /** The share of the requests. */
    percent: number;
    /** Copies them to the default too: how much do two answers of one model differ? */
    noiseFloor?: boolean;
    /** When it ends: after so many answered copies, "2000pairs", or a time, "24h"; or a list of both. */
    until?: string | string[];
    /** Larger requests aren't copied: "4MiB"; "1MiB" unless said otherwise. */
    maxBody?: string;
  };
};

type SwitchboardRule = DefaultRule | AbRule | ContextRule | ShiftRule | OverridesRule | ShadowRule;
