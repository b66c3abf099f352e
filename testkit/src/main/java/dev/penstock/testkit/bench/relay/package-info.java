/// What a relayed byte costs beside a local one.
@NullMarked
package dev.penstock.testkit.bench.relay;

import org.jspecify.annotations.NullMarked;
