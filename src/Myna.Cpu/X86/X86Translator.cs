using Myna.Cpu.Engines;
using Myna.Cpu.X86.Decoding;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.User;

namespace Myna.Cpu.X86;

/// <summary>The translator that the x86 CPUs of one machine share: one code cache, one record of the pages with code.</summary>
public sealed class X86Translator : CpuTranslator
{
    /// <param name="pages">The machine's record of pages with code, which the interpreters use too.</param>
    /// <param name="countInstructions">Exact instruction counts and limits, at a price: for lockstep and instruction-counted time.</param>
    /// <exception cref="IOException">The host gives no executable memory.</exception>
    /// <param name="user">The CPUs are a user program's, in this memory.</param>
    public X86Translator(CodePages pages, bool countInstructions = false, DirectMemory? user = null)
        : base(new JitOptions
        {
            PinnedSlots = PinnedSlots,
            VectorSlots = X86Registers.Vectors,
            PinnedVectorSlots = PinnedVectorSlots,
            LazyFlags = Flags,
            StrictCode = true,
            // A disk boot of a distribution translates some 700 MB.
            CacheSize = user is null ? 384 << 20 : 128 << 20,
            Direct = user,
            CountInstructions = countInstructions,
        }, pages, MmuMode.Count)
    {
    }

    // By FlagKind. Of shifts and signed products the operation cannot be repeated in one instruction.
    private static LazyFlagSlots Flags => new(X86Registers.FlagOp, X86Registers.FlagA, X86Registers.FlagB, X86Registers.FlagR,
    [
        FlagSource.Result, FlagSource.Test, FlagSource.Add, FlagSource.Subtract, FlagSource.AddCarry, FlagSource.SubtractBorrow, FlagSource.Increment,
        FlagSource.Decrement, FlagSource.Callback, FlagSource.Callback, FlagSource.Callback, FlagSource.Product, FlagSource.Difference, FlagSource.Callback, FlagSource.Parts,
    ]);

    // In the order in which host registers are given to them.
    private static int[] PinnedSlots =>
    [
        X86Registers.Gpr(0), X86Registers.Gpr(1), X86Registers.Gpr(2), X86Registers.Gpr(3), X86Registers.Gpr(4),
        X86Registers.Gpr(5), X86Registers.Gpr(6), X86Registers.Gpr(7), X86Registers.Gpr(8),
    ];

    private static int[] PinnedVectorSlots =>
    [
        X86Registers.Xmm(0), X86Registers.Xmm(1), X86Registers.Xmm(2), X86Registers.Xmm(3),
        X86Registers.Xmm(4), X86Registers.Xmm(5), X86Registers.Xmm(6), X86Registers.Xmm(7),
    ];

    /// <summary>The engine of one CPU; <paramref name="interpreter"/> executes what is not translated.</summary>
    public ICpuEngine CreateEngine(X86Cpu cpu, Interpreter interpreter) => Add(new X86Guest(cpu, interpreter));

    /// <summary>A CPU as the translator sees it.</summary>
    private sealed class X86Guest : Guest, ICodeSource
    {
        private readonly X86Cpu _cpu;
        private readonly Translator _translator;

        public X86Guest(X86Cpu cpu, Interpreter interpreter) : base(cpu, interpreter)
        {
            _cpu = cpu;
            _translator = new Translator(new X86Decoder(cpu.Model.Allows), this);
        }

        bool ICodeSource.TryReadSecond(ulong va, Span<byte> bytes, out CodePage page) => TryReadSecond(va, bytes, out page);

        public override uint BlockFlags => _cpu.Flags.Bits;
        public override int FetchMode => _cpu.FetchMode;
        public override FetchOutcome FillFetch(ulong pc) => _cpu.FillFetch(pc);
        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value) => _cpu.SlowLoad(va, size, mode, out value);
        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value) => _cpu.SlowStore(va, size, mode, value);
        public override bool FillStore(ulong va, int bytes, int mode) => _cpu.ProbeWrite(va, bytes, mode);

        public override bool SlowLoadVector(ulong va, int mode, bool pair, out ulong low, out ulong high) => _cpu.SlowLoadVector(va, mode, pair, out low, out high);
        public override bool SlowStoreVector(ulong va, int mode, ulong low, ulong high) => _cpu.SlowStoreVector(va, mode, low, high);

        public override ulong ComputeFlags()
        {
            ref X86Registers r = ref _cpu.State;
            return LazyFlags.Compute(r.LazyOp, r.LazyA, r.LazyB, r.LazyResult);
        }

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
        {
            _translator.Breakpoints = Breakpoints;
            _translator.Translate(builder, pc, flags, page, maxLength);
        }
    }
}
