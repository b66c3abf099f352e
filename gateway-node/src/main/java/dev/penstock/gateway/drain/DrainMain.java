package dev.penstock.gateway.drain;

import dev.penstock.cli.Cli;

/// `penstock drain`.
public final class DrainMain {
  private DrainMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("drain", args, new DrainCommand(System.getenv())));
  }
}
