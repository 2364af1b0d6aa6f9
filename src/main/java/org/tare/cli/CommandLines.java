package org.tare.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.tare.settings.Key;
import org.tare.settings.Settings;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** Makes picocli's commands of {@link Command}, and settings of what was given. */
final class CommandLines {
  private static final String CONFIG = "--config";
  private static final String SET = "--set";

  private CommandLines() {}

  /** Carries a command out; returns the exit status. */
  @FunctionalInterface
  interface Action {
    int run(Command command, Given given);
  }

  /**
   * What was given.
   *
   * @param positional the arguments behind the options
   */
  record Given(Settings settings, List<String> positional) {}

  /** The whole command line. */
  static CommandLine of(Map<String, String> sparkConf, Action action) {
    CommandSpec root =
        CommandSpec.create()
            .name("tare")
            .mixinStandardHelpOptions(true)
            .version("tare " + org.tare.Tare.version());
    root.usageMessage()
        .description("Calibrates float32 ONNX models on Apache Spark and writes quantized ones.")
        .footer("", "tare COMMAND --help lists the options of a command.");
    CommandLine commandLine = new CommandLine(root);
    for (Command command : Command.values()) {
      commandLine.addSubcommand(command.id(), spec(command, sparkConf, action));
    }
    return commandLine;
  }

  private static CommandSpec spec(Command command, Map<String, String> sparkConf, Action action) {
    CommandSpec[] own = new CommandSpec[1];
    Callable<Integer> call =
        () -> action.run(command, given(command, own[0].commandLine().getParseResult(), sparkConf));
    CommandSpec spec = CommandSpec.wrapWithoutInspection(call).name(command.id());
    own[0] = spec;
    spec.usageMessage()
        .description(command.description())
        .abbreviateSynopsis(true)
        .sortOptions(false);
    positional(command, spec);
    int order = 0;
    for (Map.Entry<Key.Group, List<OptionSpec>> group : groups(command).entrySet()) {
      ArgGroupSpec.Builder args =
          ArgGroupSpec.builder()
              .heading("%n" + group.getKey().title() + ":%n")
              .validate(false)
              .order(order++);
      group.getValue().forEach(args::addArg);
      spec.addArgGroup(args.build());
    }
    spec.addOption(
        OptionSpec.builder("-h", "--help").usageHelp(true).description("show this help").build());
    return spec;
  }

  private static void positional(Command command, CommandSpec spec) {
    String help = command.positional().help();
    switch (command.positional()) {
      case NONE -> {}
      case TABLE ->
          spec.addPositional(
              PositionalParamSpec.builder()
                  .index("0")
                  .arity("0..1")
                  .type(String.class)
                  .paramLabel("TABLE")
                  .description(help)
                  .build());
      case FILE, STATE ->
          spec.addPositional(
              PositionalParamSpec.builder()
                  .index("0")
                  .arity("1")
                  .type(String.class)
                  .paramLabel(command.positional().name())
                  .description(help)
                  .build());
      case STATES, ACTION ->
          spec.addPositional(
              PositionalParamSpec.builder()
                  .index("0..*")
                  .arity(command.positional() == Command.Positional.ACTION ? "1..*" : "0..*")
                  .type(List.class)
                  .auxiliaryTypes(String.class)
                  .paramLabel(
                      command.positional() == Command.Positional.ACTION ? "ACTION" : "STATE")
                  .description(help)
                  .build());
    }
  }

  private static Map<Key.Group, List<OptionSpec>> groups(Command command) {
    Map<Key.Group, List<OptionSpec>> groups = new EnumMap<>(Key.Group.class);
    for (CommandOption option : command.options()) {
      OptionSpec.Builder spec =
          OptionSpec.builder(option.option()).description(text(option.help()));
      if (option.isSwitch()) {
        spec.type(boolean.class).arity("0");
      } else {
        spec.type(String.class).paramLabel(option.label());
      }
      groups.computeIfAbsent(option.key().group(), g -> new ArrayList<>()).add(spec.build());
    }
    List<OptionSpec> run = groups.computeIfAbsent(Key.Group.RUN, g -> new ArrayList<>());
    run.add(
        OptionSpec.builder(CONFIG)
            .paramLabel("FILE")
            .type(Path.class)
            .description("a job file in YAML")
            .build());
    run.add(
        OptionSpec.builder(SET)
            .paramLabel("KEY=VALUE")
            .type(List.class)
            .auxiliaryTypes(String.class)
            .description("set any key of the job file; may be repeated")
            .build());
    return groups;
  }

  /** picocli formats descriptions: a percent sign stands for itself only when it is doubled. */
  private static String text(String help) {
    return help.replace("%", "%%").replace("@", "@@");
  }

  private static Given given(
      Command command, CommandLine.ParseResult parsed, Map<String, String> sparkConf) {
    Settings settings = new Settings().sparkConf(sparkConf);
    Path file = parsed.matchedOptionValue(CONFIG, null);
    if (file != null) {
      settings.jobFile(file);
    }
    List<String> sets = parsed.matchedOptionValue(SET, List.of());
    sets.forEach(settings::assignment);
    for (CommandOption option : command.options()) {
      if (parsed.hasMatchedOption(option.option())) {
        Object value = parsed.matchedOptionValue(option.option(), null);
        option.keys().forEach(key -> settings.set(key, value, option.option()));
      }
    }
    List<String> positional = new ArrayList<>();
    parsed
        .matchedPositionals()
        .forEach(spec -> spec.originalStringValues().forEach(positional::add));
    if (command == Command.OBSERVE && !positional.isEmpty()) {
      settings.set("data.path", positional.get(0), "argument");
    }
    return new Given(settings, positional);
  }
}
