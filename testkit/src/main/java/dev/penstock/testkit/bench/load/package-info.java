/// What drives a tunnel: the target behind it, and the clients in front of it. Plain NIO, few
/// threads.
@NullMarked
package dev.penstock.testkit.bench.load;

import org.jspecify.annotations.NullMarked;
