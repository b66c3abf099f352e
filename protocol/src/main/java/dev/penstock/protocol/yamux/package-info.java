@NullMarked
package dev.penstock.protocol.yamux;

import org.jspecify.annotations.NullMarked;
