package dev.penstock.node;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// SIGTERM and SIGINT as events. The JVM by itself begins to end at the first one and then hears no
/// second; its class for signals has no public name, hence the reflection.
final class Signals {
  private static final Logger log = LoggerFactory.getLogger(Signals.class);

  private Signals() {}

  /// Has `handler` run at each of these signals, on a thread of its own. Where the JVM has no such
  /// means, signals go on to end it.
  static void handle(Runnable handler) {
    for (String name : new String[] {"TERM", "INT"}) {
      try {
        Class<?> signal = Class.forName("sun.misc.Signal");
        Class<?> handlerType = Class.forName("sun.misc.SignalHandler");
        MethodHandle run =
            MethodHandles.lookup()
                .findVirtual(Runnable.class, "run", MethodType.methodType(void.class))
                .bindTo(handler);
        Object proxy =
            MethodHandleProxies.asInterfaceInstance(
                handlerType, MethodHandles.dropArguments(run, 0, signal));
        signal
            .getMethod("handle", signal, handlerType)
            .invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
      } catch (ReflectiveOperationException e) {
        log.atWarn()
            .addKeyValue("signal", name)
            .addKeyValue("cause", e.toString())
            .log("a signal ends this process at once, because it cannot be handled");
      }
    }
  }
}
