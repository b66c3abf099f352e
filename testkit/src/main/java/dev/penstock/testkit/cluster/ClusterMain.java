package dev.penstock.testkit.cluster;

import dev.penstock.cli.Cli;
import dev.penstock.node.RunningNode;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `penstock cluster`: a cluster on this machine.
public final class ClusterMain {
  private static final int MAX_NODES = 16;

  private ClusterMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("cluster", args, new ClusterCommand()));
  }

  @Command(
      name = "cluster",
      description = "Runs a cluster of gateways on this machine, to try things out.",
      subcommands = UpCommand.class)
  private static final class ClusterCommand implements Runnable {
    @Spec CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
      throw new ParameterException(spec.commandLine(), "a command is missing (expected: up)");
    }
  }

  @Command(
      name = "up",
      description = {
        "Starts gateways at 127.0.0.2, 127.0.0.3, ... with a database and a load balancer at",
        "127.0.0.1, and ends them all with Ctrl-C."
      })
  private static final class UpCommand implements Callable<Integer> {
    @Spec CommandSpec spec = CommandSpec.create();

    @Option(names = "--nodes", paramLabel = "N", description = "Gateways, 1 to 16; default 3.")
    private int nodes = 3;

    @Option(
        names = "--data-dir",
        paramLabel = "DIR",
        description = "What lasts, and the logs; default ./penstock-cluster.")
    private Path directory = Path.of("penstock-cluster");

    @Override
    public Integer call() throws Exception {
      if (nodes < 1 || nodes > MAX_NODES) {
        throw new ParameterException(
            spec.commandLine(), "--nodes: " + nodes + " (expected: 1 to " + MAX_NODES + ")");
      }
      var cluster = LocalCluster.start(directory.toAbsolutePath().normalize(), nodes);
      List<InetAddress> addresses = cluster.nodes();
      for (int i = 0; i < addresses.size(); i++) {
        String host = addresses.get(i).getHostAddress();
        System.out.printf(
            "node %d   http://%s:%d   about it http://%s:%d/cluster   process %d%n",
            i + 1,
            host,
            LocalCluster.LINKS_PORT,
            host,
            LocalCluster.MANAGEMENT_PORT,
            cluster.processes().get(i));
      }
      System.out.println("database  " + cluster.database());
      System.out.println("balancer  http://127.0.0.1:" + LocalCluster.LINKS_PORT + " and every");
      System.out.println("          public TCP port at 127.0.0.1, to all nodes in turn");
      System.out.println();
      System.out.println(
          "  ./penstock agent --gateway http://127.0.0.1:"
              + LocalCluster.LINKS_PORT
              + " --token "
              + cluster.token()
              + " --expose redis=127.0.0.1:6379");
      System.out.println("  kill -9 " + cluster.processes().getLast());
      System.out.println();
      System.out.println("Ctrl-C ends it. Settings and logs are in " + directory);
      RunningNode.untilSignalled(cluster);
      return Cli.CLEAN;
    }
  }
}
