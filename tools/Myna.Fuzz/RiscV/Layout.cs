namespace Myna.Fuzz.RiscV;

/// <summary>The little machine's memory: physical addresses, and under Sv39 the same virtual ones.</summary>
internal static class Layout
{
    public const ulong Base = 0x80000000;
    public const int RamSize = 0x10000;
    public const int PageSize = 0x1000;

    /// <summary>Prologue and trap handler; never changes.</summary>
    public const int Firmware = 0x0000;

    /// <summary>The program under test: two pages, so that some instructions straddle them.</summary>
    public const int Code = 0x1000;
    public const int CodeEnd = 0x3000;

    /// <summary>Sv39 tables, three levels.</summary>
    public const int PageTables = 0x4000;

    /// <summary>From here on nothing is executable: what is written here needs no FENCE.I.</summary>
    public const int NotExecutable = 0x8000;

    /// <summary>What the prologue loads into registers and CSRs.</summary>
    public const int Initial = 0x8000;

    /// <summary>The trap handler's save area and log.</summary>
    public const int TrapLog = 0x9000;

    /// <summary>Instructions that self-modifying code copies from.</summary>
    public const int Spare = 0xA000;
    public const int SpareSize = 0x100;

    public const int Data = 0xA000;

    /// <summary>A store here ends the run: a device outside RAM, where no likely value points.</summary>
    public const ulong Finisher = 0x13579000;

    /// <summary>Sv39 maps the data pages once more, writable, here.</summary>
    public const ulong DataAlias = Base + 0x20000;

    /// <summary>Sv39 maps the two code pages once more, writable, as this page and the next.</summary>
    public const int CodeAliasPage = 40;
}
