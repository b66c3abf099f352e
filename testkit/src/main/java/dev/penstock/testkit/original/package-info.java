/// A fake of the original PipeOps agent, bugs included, for tests of gateways. Written from what is
/// known of that agent's wire behaviour; it shares no code with this project's protocol.
@NullMarked
package dev.penstock.testkit.original;

import org.jspecify.annotations.NullMarked;
