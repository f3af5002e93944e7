using Myna.Cpu.Engines;
using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.User;

namespace Myna.Cpu.RiscV;

/// <summary>The translator that the harts of one machine share: one code cache, one record of the pages with code.</summary>
public sealed class HartTranslator : IDisposable
{
    private readonly AddressSpace _memory;
    private readonly CodePages _pages;
    private readonly JitEngine _engine;
    private readonly HashSet<Ram> _known = [];
    private readonly Lock _breakpointLock = new();

    // What the translations know of. All CPUs share them, so all have the same breakpoints.
    private IReadOnlySet<ulong>? _breakpoints;

    /// <param name="memory">Its RAM and ROM, now and later, can hold code.</param>
    /// <param name="countInstructions">Exact instruction counts and limits, at a price: for lockstep and instruction-counted time.</param>
    /// <param name="user">The harts are a user program's, in this memory.</param>
    /// <exception cref="IOException">The host gives no executable memory.</exception>
    public HartTranslator(AddressSpace memory, bool countInstructions = false, DirectMemory? user = null)
    {
        _pages = user?.Pages ?? new CodePages();
        _memory = memory;
        _engine = new JitEngine(new JitOptions
        {
            PinnedSlots = Slots(Translator.PinnedIntegers, RiscVRegisters.SlotX),
            PinnedFloatSlots = Slots(Translator.PinnedFloats, RiscVRegisters.SlotF),
            CountInstructions = countInstructions,
            Direct = user,
        }, _pages, MmuMode.Count);
        memory.Changed += AddRams;
        AddRams();
    }

    /// <summary>Whether this host can run generated code.</summary>
    public static bool IsSupported => JitEngine.IsSupported;

    public JitCounters Counters => _engine.Counters;

    /// <summary>The engine of one hart; <paramref name="interpreter"/> executes what is not translated.</summary>
    public ICpuEngine CreateEngine(Hart hart, Interpreter interpreter)
    {
        if (!hart.IsUser)
            _pages.Add(hart.Block.Tlb);
        Guest guest = new(hart, interpreter);
        _engine.Add(guest);
        return new Engine(this, guest);
    }

    /// <summary>Forgets a hart that will not run again.</summary>
    public void Remove(ICpuEngine engine) => _engine.Remove(((Engine)engine).Guest);

    public void Dispose()
    {
        _memory.Changed -= AddRams;
        _engine.Dispose();
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

    private sealed class Engine(HartTranslator owner, Guest guest) : ICpuEngine
    {
        internal Guest Guest => guest;

        public string Name => "jit";

        public IEnumerable<(string Name, ulong Value)> Counters => JitCounterNames.List(owner.Counters, guest.Block.Tlb);

        public bool StopsAtBreakpoints => true;

        public void Run(ulong limit)
        {
            guest.UpdateBreakpoints(owner);
            owner._engine.Run(guest, limit);
        }

        public bool Step() => guest.InterpretOne();
    }

    /// <summary>A hart as the translator sees it.</summary>
    private sealed class Guest(Hart hart, Interpreter interpreter) : GuestCpu(hart.Block)
    {
        private readonly Translator _translator = new() { User = hart.IsUser };
        private int _breakpointVersion;

        public override uint BlockFlags => hart.BlockFlags;
        public override int FetchMode => hart.FetchMode;
        public override FetchOutcome FillFetch(ulong pc) => hart.FillFetch(pc);
        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value) => hart.SlowLoad(va, size, mode, out value);
        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value) => hart.SlowStore(va, size, mode, value);

        public override bool InterpretOne()
        {
            ref JitContext context = ref hart.Block.Context;
            uint flags = hart.BlockFlags, generation = hart.Generation;
            ulong next = context.Pc + 4;
            // Instructions that might have changed something mostly have not: interrupts masked, CSRs set to what they were.
            return (interpreter.Step() && hart.BlockFlags == flags)
                || (hart.Generation == generation && context.Pc == next && Volatile.Read(ref context.ExitRequest) == 0);
        }

        public override bool IsBreakpoint(ulong pc) => hart.Breakpoints.Contains(pc);

        public void UpdateBreakpoints(HartTranslator owner)
        {
            if (_breakpointVersion == hart.BreakpointVersion)
                return;
            lock (owner._breakpointLock)
            {
                // A debugger takes them all out at every stop and puts them back: that changes nothing.
                bool same = owner._breakpoints is null ? hart.Breakpoints.Count == 0 : owner._breakpoints.SetEquals(hart.Breakpoints);
                if (!same)
                {
                    owner._breakpoints = hart.Breakpoints.Count == 0 ? null : new HashSet<ulong>(hart.Breakpoints);
                    owner._engine.Forget(this);
                }
                _translator.Breakpoints = owner._breakpoints;
                HasBreakpoints = hart.Breakpoints.Count != 0;
                _breakpointVersion = hart.BreakpointVersion;
            }
        }

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
            => _translator.Translate(builder, pc, flags, page, maxLength);
    }
}
