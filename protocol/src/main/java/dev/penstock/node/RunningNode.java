package dev.penstock.node;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Keeps a process alive until it is told to end (SIGINT, SIGTERM), then ends the node in order. A
/// node that ended as it was told makes the exit code 0, which the JVM by itself would not.
public final class RunningNode {
  private static final Logger log = LoggerFactory.getLogger(RunningNode.class);

  private RunningNode() {}

  /// Blocks until the process is told to end; does not return then.
  public static void untilSignalled(AutoCloseable node) {
    untilSignalled(node, new CompletableFuture<>());
  }

  /// As [#untilSignalled(AutoCloseable)]; ends also, with exit code 1, when `fault` completes.
  ///
  /// @param fault with what the node cannot go on from, in words
  public static void untilSignalled(AutoCloseable node, CompletionStage<String> fault) {
    var faulty = new AtomicBoolean();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  int code = faulty.get() ? 1 : 0;
                  try {
                    node.close();
                  } catch (Exception e) {
                    log.atError().setCause(e).log("the node did not end in order");
                    code = 1;
                  }
                  System.out.flush();
                  Runtime.getRuntime().halt(code);
                },
                "shutdown"));
    fault.thenAcceptAsync(
        why -> {
          log.atError().addKeyValue("cause", why).log("the node cannot go on");
          faulty.set(true);
          System.exit(1);
        },
        command -> Thread.ofPlatform().name("fault").start(command));
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
