/// What runs in a node now, for operators: streams with their bytes and rates, totals of tunnels,
/// links, and what happened lately. Whoever carries bytes only counts; everything else is done by
/// whoever looks.
@NullMarked
package dev.penstock.live;

import org.jspecify.annotations.NullMarked;
