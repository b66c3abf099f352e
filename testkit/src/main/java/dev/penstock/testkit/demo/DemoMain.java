package dev.penstock.testkit.demo;

import dev.penstock.agent.settings.Expose;
import dev.penstock.cli.Cli;
import dev.penstock.node.RunningNode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `penstock demo`: a gateway and an agent in one process, with two small services or your own
/// behind them.
public final class DemoMain {
  private DemoMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("demo", args, new DemoCommand()));
  }

  @Command(
      name = "demo",
      description = "Runs a gateway, an agent and two small services, to try things out.",
      footer = {
        "",
        "Examples:",
        "  penstock demo",
        "  penstock demo --expose redis=127.0.0.1:6379 --expose web=127.0.0.1:8000@18000"
      })
  private static final class DemoCommand implements Callable<Integer> {
    @Option(
        names = "--expose",
        paramLabel = "NAME=HOST:PORT[@PUBLIC-PORT]",
        description = "A service of yours to expose as well; may be given many times.")
    private List<String> expose = new ArrayList<>();

    @Option(names = "--train", hidden = true, description = "Runs some traffic and ends.")
    private boolean train;

    @Override
    public Integer call() throws Exception {
      List<Expose> exposes = expose.stream().map(Expose::parse).toList();
      var demo = Demo.start(exposes, train ? _ -> {} : System.out::println);
      if (train) {
        try (demo) {
          Training.run(demo);
        }
        return Cli.CLEAN;
      }
      System.out.println();
      System.out.println("  curl http://127.0.0.1:" + demo.publicPort("web") + "/");
      System.out.println("  nc 127.0.0.1 " + demo.publicPort("echo"));
      System.out.println("  curl http://" + demo.gatewayMetrics() + "/metrics");
      System.out.println();
      System.out.println("Ctrl-C ends it.");
      RunningNode.untilSignalled(demo);
      return Cli.CLEAN;
    }
  }
}
