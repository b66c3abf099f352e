package dev.penstock.cli.operate;

import dev.penstock.cli.Cli;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `penstock close`.
@Command(
    name = "close",
    description = "Resets streams or sessions, or closes links.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock close stream d54501f7-s1",
      "  penstock close link d54501f7-l3",
      "",
      "An agent dials again when its link was closed. A token needs role: operate."
    })
final class CloseCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private final ManagementOptions management;

  @Parameters(index = "0", paramLabel = "KIND", description = "${COMPLETION-CANDIDATES}.")
  private Kind kind = Kind.STREAM;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "ID",
      description = "As penstock streams, sessions and links show them.")
  private List<String> ids = List.of();

  enum Kind {
    STREAM,
    SESSION,
    LINK;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  CloseCommand(Map<String, String> environment) {
    this.management = new ManagementOptions(environment);
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    try (var client = management.open()) {
      for (String id : ids) {
        String path = "/api/v1/" + kind + "s/" + Management.encoded(id) + "/close";
        Outcomes.print(spec.commandLine().getOut(), id, client.act("POST", path, null));
      }
    }
    return Cli.CLEAN;
  }
}
