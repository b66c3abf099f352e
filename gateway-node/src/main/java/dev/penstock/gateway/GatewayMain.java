package dev.penstock.gateway;

import dev.penstock.cli.Cli;
import dev.penstock.node.RunningNode;
import java.io.IOException;
import java.io.UncheckedIOException;

/// `penstock gateway`.
public final class GatewayMain {
  private GatewayMain() {}

  public static void main(String[] args) {
    System.exit(
        Cli.execute("gateway", args, new GatewayCommand(System.getenv(), GatewayMain::run)));
  }

  private static int run(GatewaySettings settings) {
    try {
      RunningNode.untilDrained(Gateway.start(settings));
      return Cli.CLEAN;
    } catch (IOException e) {
      throw new UncheckedIOException(String.valueOf(e.getMessage()), e);
    }
  }
}
