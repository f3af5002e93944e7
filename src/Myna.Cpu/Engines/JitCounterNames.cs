using Myna.Jit.Engine;
using Myna.Jit.Memory;

namespace Myna.Cpu.Engines;

/// <summary>The translator's counters as the monitor shows them.</summary>
internal static class JitCounterNames
{
    public static IEnumerable<(string Name, ulong Value)> List(JitCounters c, SoftTlb tlb) =>
    [
        ("blocks translated", (ulong)c.BlocksTranslated),
        ("instructions translated", (ulong)c.InstructionsTranslated),
        ("bytes emitted", (ulong)c.BytesEmitted),
        ("blocks invalidated", (ulong)c.BlocksInvalidated),
        ("code cache flushes", (ulong)c.CacheFlushes),
        ("jumps linked", (ulong)c.LinksPatched),
        ("block lookups", (ulong)c.Lookups),
        ("exits to link", (ulong)c.LinkExits),
        ("exits at indirect jumps", (ulong)c.IndirectExits),
        ("exits on request", (ulong)c.RequestExits),
        ("exits by traps and state changes", (ulong)c.ChangedExits),
        ("exits to the interpreter", (ulong)c.FallbackExits),
        ("slow loads", (ulong)c.SlowLoads),
        ("slow stores", (ulong)c.SlowStores),
        ("instructions interpreted in blocks", (ulong)c.Interpreted),
        ("lazy flags computed", (ulong)c.FlagComputations),
        ("TLB fills", tlb.Fills),
        ("TLB flushes", tlb.Flushes),
    ];
}
