using Myna.Jit.Memory;

namespace Myna.Cpu.Engines;

/// <summary>Where a translator's front end finds the second page of an instruction that straddles two.</summary>
internal interface ICodeSource
{
    /// <summary>MMU mode of fetches.</summary>
    int FetchMode { get; }

    /// <summary>The page that code at <paramref name="va"/> comes from now, and its first bytes; false when that is not known.</summary>
    bool TryReadSecond(ulong va, Span<byte> bytes, out CodePage page);
}
