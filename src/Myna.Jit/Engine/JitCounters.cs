namespace Myna.Jit.Engine;

/// <summary>What the translator has done; counted outside of hot code, approximately when several CPUs run.</summary>
public sealed class JitCounters
{
    public long BlocksTranslated, InstructionsTranslated, BytesEmitted, BlocksInvalidated, CacheFlushes;
    public long LinksPatched, Lookups;
    /// <summary>Ways out of generated code.</summary>
    public long LinkExits, IndirectExits, RequestExits, ChangedExits, FallbackExits;
    /// <summary>Calls of C# that did not leave the block, or might not have.</summary>
    public long SlowLoads, SlowStores, Interpreted, FlagComputations;
}
