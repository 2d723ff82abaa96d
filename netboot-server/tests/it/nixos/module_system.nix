# As much of nixpkgs' `lib` and of its module system as this repository's modules need, so that they
# can be evaluated where nixpkgs is out of reach. What the real one refuses is refused here, too: a
# value that is not of its option's type, a name that is no option, two values where one is taken.
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    elem
    filter
    head
    isAttrs
    isBool
    isFloat
    isFunction
    isInt
    isList
    isPath
    isString
    mapAttrs
    tail
    ;

  isA = kind: value: isAttrs value && (value._type or null) == kind;
  isStringLike = value: isString value || isPath value || value ? outPath || value ? __toString;
  isDerivation = value: isAttrs value && (value.type or null) == "derivation";
  isStorePath =
    value:
    isStringLike value
    && builtins.match "/.*" (toString value) != null
    && dirOf (toString value) == builtins.storeDir;

  lib = rec {
    inherit (builtins)
      all
      any
      attrValues
      concatMap
      concatStringsSep
      filter
      ;
    inherit isDerivation types;

    concatMapStringsSep =
      separator: make: list:
      concatStringsSep separator (map make list);
    filterAttrs = keep: set: removeAttrs set (filter (name: !(keep name set.${name})) (attrNames set));
    genAttrs =
      names: make:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = make name;
        }) names
      );
    getExe =
      package: "${package}/bin/${package.meta.mainProgram or (throw "the package has no mainProgram")}";
    literalExpression = text: {
      _type = "literalExpression";
      inherit text;
    };
    makeBinPath = concatMapStringsSep ":" (package: "${package}/bin");
    mapAttrsToList = make: set: map (name: make name set.${name}) (attrNames set);
    optional = condition: item: optionals condition [ item ];
    optionalAttrs = condition: set: if condition then set else { };
    optionalString = condition: text: if condition then text else "";
    optionals = condition: list: if condition then list else [ ];
    recursiveUpdate =
      left: right:
      left
      // mapAttrs (
        name: value:
        if isAttrs value && isAttrs (left.${name} or null) then
          recursiveUpdate left.${name} value
        else
          value
      ) right;
    unique = builtins.foldl' (kept: item: if elem item kept then kept else kept ++ [ item ]) [ ];

    mkOption = option: option // { _type = "option"; };
    mkEnableOption =
      what:
      mkOption {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    mkPackageOption =
      pkgs: name:
      {
        nullable ? false,
        extraDescription ? "",
      }:
      mkOption {
        type = if nullable then types.nullOr types.package else types.package;
        default = pkgs.${name} or (throw "${name} is not in pkgs");
        description = "The ${name} package to use. ${extraDescription}";
      };

    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    mkMerge = contents: {
      _type = "merge";
      inherit contents;
    };
    mkOverride = priority: content: {
      _type = "override";
      inherit priority content;
    };
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
  };

  # A type says which values are its, and makes one of those that modules gave.
  type =
    description: check:
    {
      merge ? same,
      suboptions ? { },
    }:
    {
      inherit
        description
        check
        merge
        suboptions
        ;
    };
  simple = description: check: type description check { };

  # For what takes one value, though several modules may give it.
  same =
    place: given:
    if builtins.all (value: value == head given) given then
      head given
    else
      throw "${place} is set twice";

  types = rec {
    raw = simple "a value" (_: true);
    bool = simple "a boolean" isBool;
    int = simple "an integer" isInt;
    float = simple "a number" isFloat;
    str = simple "a string" isString;
    path = simple "an absolute path" (
      value: isStringLike value && builtins.match "/.*" (toString value) != null
    );
    package = type "a package" (value: isDerivation value || isStorePath value) {
      merge = place: given: if tail given == [ ] then head given else throw "${place} is set twice";
    };
    port = ints.between 0 65535;
    ints = {
      between =
        lowest: highest:
        simple "an integer from ${toString lowest} to ${toString highest}" (
          value: isInt value && value >= lowest && value <= highest
        );
      unsigned = simple "an integer from 0" (value: isInt value && value >= 0);
      positive = simple "an integer from 1" (value: isInt value && value > 0);
    };
    strMatching =
      pattern:
      simple "a string matching ${pattern}" (
        value: isString value && builtins.match pattern value != null
      );
    enum = values: simple "one of ${builtins.toJSON values}" (value: elem value values);
    nullOr =
      element:
      type "null or ${element.description}" (value: value == null || element.check value) {
        merge =
          place: given:
          if builtins.all (value: value == null) given then
            null
          else if elem null given then
            throw "${place} is set twice"
          else
            element.merge place given;
        inherit (element) suboptions;
      };
    either =
      left: right:
      type "${left.description} or ${right.description}" (value: left.check value || right.check value) {
        merge =
          place: given:
          if builtins.all left.check given then
            left.merge place given
          else if builtins.all right.check given then
            right.merge place given
          else
            throw "${place} is set twice";
      };
    oneOf = list: builtins.foldl' either (head list) (tail list);
    # As in nixpkgs, only the outermost of a value is looked at before it is merged.
    listOf =
      element:
      type "a list of ${element.description}" isList {
        merge = place: given: map (value: merged "${place}.*" element [ value ]) (concatLists given);
        inherit (element) suboptions;
      };
    attrsOf =
      element:
      type "a set of ${element.description}" isAttrs {
        merge =
          place: given:
          mapAttrs (name: merged "${place}.${name}" element) (
            lib.filterAttrs (_: values: effective values != [ ]) (byName (concatMap pushedDown given))
          );
        inherit (element) suboptions;
      };
    submodule =
      module:
      let
        under = given: {
          modules = [ module ] ++ map (config: { inherit config; }) given;
        };
      in
      type "a submodule" isAttrs {
        merge = place: given: (evaluate (under given // { inherit place; })).config;
        suboptions = (evaluate (under [ ] // { place = "a submodule"; })).options;
      };
    # What options that are not declared hold in a whole host: lists are put together. A name is
    # there whatever its condition, so that others can be asked for while that is decided.
    undeclared = type "a value" (_: true) {
      merge =
        place: given:
        if builtins.all (value: isAttrs value && !isStringLike value) given then
          mapAttrs (name: merged "${place}.${name}" undeclared) (byName (concatMap pushedDown given))
        else if builtins.all isList given then
          concatLists given
        else
          same place given;
    };
  };

  # The values of each name in several sets.
  byName = sets: lib.genAttrs (lib.unique (concatMap attrNames sets)) (name: valuesOf name sets);
  valuesOf = name: sets: concatMap (set: lib.optional (set ? ${name}) set.${name}) sets;

  # A set under a condition is a set of values under that condition.
  pushedDown =
    value:
    if isA "merge" value then
      concatMap pushedDown value.contents
    else if isA "if" value then
      map (mapAttrs (_: lib.mkIf value.condition)) (pushedDown value.content)
    else if isA "override" value then
      map (mapAttrs (_: lib.mkOverride value.priority)) (pushedDown value.content)
    else
      [ value ];

  # What is left of values when conditions are decided, and the strongest alone are kept.
  effective =
    values:
    let
      decided =
        value:
        if isA "merge" value then
          concatMap decided value.contents
        else if isA "if" value then
          lib.optionals value.condition (decided value.content)
        else
          [ value ];
      priority = value: if isA "override" value then value.priority else 100;
      all = concatMap decided values;
      strongest = builtins.foldl' (
        least: value: if priority value < least then priority value else least
      ) 9999 all;
    in
    map (value: if isA "override" value then value.content else value) (
      filter (value: priority value == strongest) all
    );

  merged =
    place: type: values:
    let
      given = effective values;
      wrong = filter (value: !type.check value) given;
    in
    if wrong != [ ] then throw "${place} is not ${type.description}" else type.merge place given;

  optionValue =
    place: option: values:
    let
      given = values ++ lib.optional (option ? default) (lib.mkOverride 1500 option.default);
    in
    if (option.readOnly or false) && values != [ ] then
      throw "${place} is read-only"
    else if effective given != [ ] then
      merged place option.type given
    else
      throw "${place} is not set and has no default";

  # The values of a tree of options. What is none of them is an error, or of the free type.
  level =
    place: free: options: sets:
    let
      pushed = concatMap pushedDown sets;
      given = byName pushed;
      strange = filter (name: !(options ? ${name})) (attrNames given);
      known = mapAttrs (
        name: option:
        let
          here = "${place}.${name}";
        in
        if isA "option" option then
          optionValue here option (given.${name} or [ ])
        else
          level here free option (given.${name} or [ ])
      ) options;
    in
    if strange == [ ] then
      known
    else if free == null then
      throw "${place}.${head strange} is no option"
    else
      known
      // merged place free (map (set: builtins.intersectAttrs (lib.genAttrs strange (_: 0)) set) pushed);

  both =
    left: right:
    left
    // mapAttrs (
      name: option:
      if !(left ? ${name}) then
        option
      else if isA "option" option || isA "option" left.${name} then
        throw "the option ${name} is declared twice"
      else
        both left.${name} option
    ) right;

  # Evaluates modules that import each other. `free` is the type of what they do not declare, and
  # null where that is an error.
  evaluate =
    {
      modules,
      place,
      arguments ? { },
      free ? null,
    }:
    let
      load =
        source:
        let
          content = if isPath source || isString source then import source else source;
          module = if isFunction content then content (arguments // { inherit lib config; }) else content;
          isWhole = module ? options || module ? config;
          parts = [
            "imports"
            "options"
            "config"
            "freeformType"
            "meta"
          ];
          odd = filter (name: !(elem name parts)) (attrNames module);
        in
        concatMap load (module.imports or [ ])
        ++ [
          {
            options = module.options or { };
            free = module.freeformType or null;
            config =
              if !isWhole then
                removeAttrs module [
                  "imports"
                  "freeformType"
                ]
              else if odd != [ ] then
                throw "${place}: a module with options or config has `${head odd}` beside them"
              else
                lib.mkMerge ([ (module.config or { }) ] ++ lib.optional (module ? meta) { inherit (module) meta; });
          }
        ];
      loaded = concatMap load modules;
      options = builtins.foldl' both { } (map (module: module.options) loaded);
      frees = filter (type: type != null) (map (module: module.free) loaded ++ [ free ]);
      config = level place (if frees == [ ] then null else head frees) options (
        map (module: module.config) loaded
      );
    in
    {
      inherit config options;
    };

  # The places of options that lack a type or a description.
  undocumented =
    place: options:
    concatLists (
      lib.mapAttrsToList (
        name: option:
        let
          here = "${place}.${name}";
        in
        if !isA "option" option then
          undocumented here option
        else
          (if option ? type && (option.description or "") != "" then [ ] else [ here ])
          ++ undocumented here option.type.suboptions
      ) options
    );
in
{
  inherit evaluate lib undocumented;
}
