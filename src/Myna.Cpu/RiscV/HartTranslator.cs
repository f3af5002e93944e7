using Myna.Cpu.Engines;
using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.User;

namespace Myna.Cpu.RiscV;

/// <summary>The translator that the harts of one machine share: one code cache, one record of the pages with code.</summary>
public sealed class HartTranslator : CpuTranslator
{
    private readonly AddressSpace _memory;
    private readonly CodePages _pages;
    private readonly HashSet<Ram> _known = [];

    /// <param name="memory">Its RAM and ROM, now and later, can hold code.</param>
    /// <param name="countInstructions">Exact instruction counts and limits, at a price: for lockstep and instruction-counted time.</param>
    /// <param name="user">The harts are a user program's, in this memory.</param>
    /// <exception cref="IOException">The host gives no executable memory.</exception>
    public HartTranslator(AddressSpace memory, bool countInstructions = false, DirectMemory? user = null)
        : this(memory, Options(countInstructions, user), user?.Pages ?? new CodePages())
    {
    }

    private HartTranslator(AddressSpace memory, JitOptions options, CodePages pages) : base(options, pages, MmuMode.Count)
    {
        _pages = pages;
        _memory = memory;
        memory.Changed += AddRams;
        AddRams();
    }

    private static JitOptions Options(bool countInstructions, DirectMemory? user) => new()
    {
        PinnedSlots = Slots(Translator.PinnedIntegers, RiscVRegisters.SlotX),
        PinnedFloatSlots = Slots(Translator.PinnedFloats, RiscVRegisters.SlotF),
        CountInstructions = countInstructions,
        Direct = user,
    };

    /// <summary>The engine of one hart; <paramref name="interpreter"/> executes what is not translated.</summary>
    public ICpuEngine CreateEngine(Hart hart, Interpreter interpreter)
    {
        if (!hart.IsUser)
            _pages.Add(hart.Block.Tlb);
        return Add(new HartGuest(hart, interpreter));
    }

    public override void Dispose()
    {
        _memory.Changed -= AddRams;
        base.Dispose();
    }

    private static int[] Slots(ReadOnlySpan<int> registers, Func<int, int> slot)
    {
        int[] slots = new int[registers.Length];
        for (int i = 0; i < slots.Length; i++)
            slots[i] = slot(registers[i]);
        return slots;
    }

    private void AddRams()
    {
        foreach (Region region in _memory.Regions)
        {
            if (region.Ram is { } ram && _known.Add(ram))
                _pages.Add(ram);
        }
    }

    /// <summary>A hart as the translator sees it.</summary>
    private sealed class HartGuest : Guest, ICodeSource
    {
        private readonly Hart _hart;
        private readonly Translator _translator;

        public HartGuest(Hart hart, Interpreter interpreter) : base(hart, interpreter)
        {
            _hart = hart;
            _translator = new Translator(this) { User = hart.IsUser };
        }

        bool ICodeSource.TryReadSecond(ulong va, Span<byte> bytes, out CodePage page) => TryReadSecond(va, bytes, out page);

        public override uint BlockFlags => _hart.BlockFlags;
        public override int FetchMode => _hart.FetchMode;
        public override FetchOutcome FillFetch(ulong pc) => _hart.FillFetch(pc);
        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value) => _hart.SlowLoad(va, size, mode, out value);
        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value) => _hart.SlowStore(va, size, mode, value);

        // Of uncompressed ones, which all that matter here are.
        private protected override int Length => 4;

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
        {
            _translator.Breakpoints = Breakpoints;
            _translator.Translate(builder, pc, flags, page, maxLength);
        }
    }
}
