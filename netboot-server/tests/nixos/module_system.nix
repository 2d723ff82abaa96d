# As much of NixOS' module system as one module needs, so that it can be evaluated where nixpkgs is
# out of reach. A value that is not of its option's type, and a name that is no option, are errors.
let
  isOption = value: (value._type or null) == "option";

  ofType = description: check: {
    inherit description check;
    complete = _: value: value;
    suboptions = { };
  };

  lib = rec {
    all = builtins.all;
    attrValues = builtins.attrValues;
    concatStringsSep = builtins.concatStringsSep;
    filterAttrs =
      keep: set:
      removeAttrs set (builtins.filter (name: !(keep name set.${name})) (builtins.attrNames set));
    literalExpression = text: { inherit text; };
    mapAttrsToList = make: set: map (name: make name set.${name}) (builtins.attrNames set);
    mkOption = option: option // { _type = "option"; };
    mkEnableOption =
      what:
      mkOption {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    optionals = condition: list: if condition then list else [ ];
    recursiveUpdate =
      left: right:
      left
      // builtins.mapAttrs (
        name: value:
        if builtins.isAttrs value && builtins.isAttrs (left.${name} or null) then
          recursiveUpdate left.${name} value
        else
          value
      ) right;

    types = rec {
      anything = ofType "anything" (_: true);
      bool = ofType "a boolean" builtins.isBool;
      str = ofType "a string" builtins.isString;
      package = ofType "a package" (value: builtins.isString value || value ? outPath);
      strMatching =
        pattern:
        ofType "a string matching ${pattern}" (
          value: builtins.isString value && builtins.match pattern value != null
        );
      ints.unsigned = ofType "an integer from 0" (value: builtins.isInt value && value >= 0);
      ints.positive = ofType "an integer from 1" (value: builtins.isInt value && value > 0);
      enum = values: ofType "one of the names" (value: builtins.elem value values);
      either =
        left: right:
        ofType "${left.description} or ${right.description}" (value: left.check value || right.check value);
      nullOr = element: {
        description = "null or ${element.description}";
        check = value: value == null || element.check value;
        complete = place: value: if value == null then null else element.complete place value;
        inherit (element) suboptions;
      };
      listOf = element: {
        description = "a list of ${element.description}";
        check = value: builtins.isList value && builtins.all element.check value;
        complete = place: map (element.complete "${place}.*");
        inherit (element) suboptions;
      };
      attrsOf = element: {
        description = "a set of ${element.description}";
        check = value: builtins.isAttrs value && builtins.all element.check (builtins.attrValues value);
        complete = place: builtins.mapAttrs (name: element.complete "${place}.${name}");
        inherit (element) suboptions;
      };
      submodule = module: {
        description = "a submodule";
        check = builtins.isAttrs;
        complete = place: complete place module.options;
        suboptions = module.options;
      };
    };
  };

  # The values of options, from what was set and what they have as default.
  complete =
    place: options: set:
    let
      strange = builtins.filter (name: !(options ? ${name})) (builtins.attrNames set);
    in
    if strange != [ ] then
      throw "${place}.${builtins.head strange} is no option"
    else
      values place options set;

  values =
    place: options: set:
    builtins.mapAttrs (
      name: option:
      let
        here = "${place}.${name}";
      in
      if !isOption option then
        complete here option (set.${name} or { })
      else if !(set ? ${name}) then
        option.default or (throw "${here} is not set and has no default")
      else if !option.type.check set.${name} then
        throw "${here} is not ${option.type.description}"
      else
        option.type.complete here set.${name}
    ) options;

  # What two modules say together.
  both =
    place: left: right:
    if builtins.isAttrs left && builtins.isAttrs right then
      left
      // builtins.mapAttrs (
        name: value: if left ? ${name} then both "${place}.${name}" left.${name} value else value
      ) right
    else if builtins.isList left && builtins.isList right then
      left ++ right
    else if left == right then
      left
    else
      throw "${place} is set twice";

  # What a module configures, with its conditions decided; what is not so is null.
  decided =
    value:
    if (value._type or null) == "if" then
      (if value.condition then decided value.content else null)
    else if builtins.isAttrs value && !(value ? outPath) then
      builtins.mapAttrs (_: decided) value
    else
      value;

  # The places of options that lack a type or a description.
  undocumented =
    place: options:
    builtins.concatLists (
      lib.mapAttrsToList (
        name: option:
        let
          here = "${place}.${name}";
        in
        if !isOption option then
          undocumented here option
        else
          (if option ? type && (option.description or "") != "" then [ ] else [ here ])
          ++ undocumented here (option.type.suboptions or { })
      ) options
    );
in
{
  inherit lib;

  # Evaluates the module for `services.netboot = set`, within a host's `rest` of the configuration.
  evaluate =
    {
      module,
      pkgs,
      set,
      rest ? { },
    }:
    let
      evaluated = module {
        inherit lib pkgs;
        config = rest // {
          services.netboot = complete "services.netboot" evaluated.options.services.netboot set;
        };
      };
    in
    {
      config = decided evaluated.config;
      undocumented = undocumented "services.netboot" evaluated.options.services.netboot;
    };

  # Evaluates modules that import each other, as a host's configuration does. `options` are those of
  # one place, `netboot.image` say; what stands elsewhere is taken as it is.
  host =
    {
      modules,
      modulesPath,
      pkgs,
      rest,
    }:
    let
      load =
        source:
        let
          content = if builtins.isPath source || builtins.isString source then import source else source;
          module =
            if builtins.isFunction content then
              content {
                inherit lib pkgs modulesPath;
                config = host;
              }
            else
              content;
        in
        [
          {
            options = module.options or { };
            config =
              module.config or (removeAttrs module [
                "imports"
                "options"
              ]);
          }
        ]
        ++ builtins.concatLists (map load (module.imports or [ ]));
      loaded = builtins.concatLists (map load modules);
      options = builtins.foldl' lib.recursiveUpdate { } (map (module: module.options) loaded);
      set = decided (builtins.foldl' (both "the host") { } (map (module: module.config) loaded));
      # Two levels down, at `netboot.image`, a name that is no option is an error.
      host = lib.recursiveUpdate (lib.recursiveUpdate rest set) (
        builtins.mapAttrs (
          name: inner: values name inner (builtins.intersectAttrs inner (set.${name} or { }))
        ) options
      );
    in
    host;
}
