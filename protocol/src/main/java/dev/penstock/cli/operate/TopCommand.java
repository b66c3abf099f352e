package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.cli.Cli;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `penstock top`: the busiest tunnels, live.
@Command(
    name = "top",
    description = "Shows the busiest tunnels, live in a terminal, once elsewhere.",
    sortOptions = false,
    footer = {
      "",
      "Keys: o sorts by what goes out to clients, i by what comes in, c by connections, n by name;",
      "q ends.",
      "",
      "Examples:",
      "  penstock top",
      "  penstock top --management http://127.0.0.1:9091 --interval 5",
      "  penstock top | head"
    })
final class TopCommand implements Callable<Integer> {
  private static final int LONGEST_INTERVAL = 3600;

  /// Where there is no window to fill.
  private static final Terminal.Size PAPER = new Terminal.Size(1000, 104);

  private static final int LARGEST_PAGE = 500;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private final ManagementOptions management;

  @Option(
      names = "--interval",
      paramLabel = "SECONDS",
      description = "Between two looks, 1 to 3600; 1 by default.")
  private int interval = 1;

  private TopScreen.Order order = TopScreen.Order.OUT;

  TopCommand(Map<String, String> environment) {
    this.management = new ManagementOptions(environment);
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (interval < 1 || interval > LONGEST_INTERVAL) {
      throw new ParameterException(
          spec.commandLine(),
          "--interval: " + interval + " (expected: 1 to " + LONGEST_INTERVAL + ")");
    }
    var out = spec.commandLine().getOut();
    try (var client = management.open()) {
      List<String> first = look(client, PAPER);
      try (Terminal terminal = Terminal.open(out)) {
        if (terminal == null) {
          first.forEach(out::println);
          out.flush();
        } else {
          live(client, terminal);
        }
      }
    }
    return Cli.CLEAN;
  }

  /// Until `q`. A node that does not answer is told on the screen, because it may come back.
  private void live(Management client, Terminal terminal) throws InterruptedException {
    List<String> last = List.of();
    while (true) {
      Terminal.Size size = terminal.size();
      List<String> shown = new ArrayList<>();
      try {
        last = look(client, size);
        shown.addAll(last);
      } catch (IOException e) {
        shown.add(String.valueOf(e.getMessage()));
        shown.addAll(last);
      }
      terminal.draw(
          shown.stream()
              .limit(size.height())
              .map(line -> line.substring(0, Math.min(line.length(), size.width())))
              .toList());
      Character key = terminal.key(interval * 1000L);
      if (isEnd(key)) {
        return;
      }
      if (key != null) {
        order = TopScreen.Order.asked(key, order);
      }
    }
  }

  private static boolean isEnd(@Nullable Character key) {
    return key != null && (key == 'q' || key == 'Q' || key == 4);
  }

  private List<String> look(Management client, Terminal.Size size)
      throws IOException, InterruptedException {
    JsonNode status = client.get("/api/v1/status");
    JsonNode summary = client.get("/api/v1/summary");
    JsonNode tunnels =
        client.list(
            "tunnels", Map.of("sort", order.sort), Math.clamp(size.height(), 1, LARGEST_PAGE));
    return TopScreen.lines(status, summary, tunnels, order, size.width(), size.height());
  }
}
