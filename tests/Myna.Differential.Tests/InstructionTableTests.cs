using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using Myna.Fuzz;
using Myna.Fuzz.X86;

namespace Myna.Differential.Tests;

/// <summary>A walk over all encodings that Iced knows: what the CPU announces has semantics, and executing it is no #UD.</summary>
public sealed class InstructionTableTests
{
    // What Iced lists under features that a model can announce; others (VMX, SVM, AVX-512, CET, ...) are none of ours.
    private static readonly HashSet<CpuidFeature> s_features =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL8086_ONLY, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.CPUID, CpuidFeature.MULTIBYTENOP, CpuidFeature.PAUSE, CpuidFeature.MSR, CpuidFeature.TSC,
        CpuidFeature.SYSCALL, CpuidFeature.SEP, CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.MMX, CpuidFeature.FXSR, CpuidFeature.SSE,
        CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2, CpuidFeature.POPCNT, CpuidFeature.LZCNT, CpuidFeature.MOVBE,
        CpuidFeature.AES, CpuidFeature.PCLMULQDQ, CpuidFeature.SHA, CpuidFeature.GFNI, CpuidFeature.VAES, CpuidFeature.VPCLMULQDQ, CpuidFeature.AVX, CpuidFeature.AVX2,
        CpuidFeature.FMA, CpuidFeature.F16C, CpuidFeature.BMI1, CpuidFeature.BMI2, CpuidFeature.ADX, CpuidFeature.FSGSBASE, CpuidFeature.RDRAND, CpuidFeature.RDSEED,
        CpuidFeature.RDPID, CpuidFeature.RDTSCP, CpuidFeature.INVPCID, CpuidFeature.SMAP, CpuidFeature.CLFSH, CpuidFeature.CLFLUSHOPT, CpuidFeature.CLWB, CpuidFeature.PREFETCHW,
        CpuidFeature.XSAVE, CpuidFeature.XSAVEOPT, CpuidFeature.XSAVEC, CpuidFeature.XSAVES, CpuidFeature.PKU, CpuidFeature.MONITOR, CpuidFeature.MOVDIRI, CpuidFeature.SSE4A,
    ];

    // Undefined by definition, or on every processor that has 64-bit mode: undefined opcodes, RSM outside system management
    // mode, test registers and LOADALL of the 386, FISTTP's forerunners and UMOV, POP CS of the 8086, the 80287's and 387SL's own.
    private static readonly HashSet<Mnemonic> s_undefined =
    [
        Mnemonic.Ud0, Mnemonic.Ud1, Mnemonic.Ud2, Mnemonic.Rsm, Mnemonic.Umov, Mnemonic.Loadall, Mnemonic.Ibts, Mnemonic.Xbts, Mnemonic.Frstpm, Mnemonic.Fstdw, Mnemonic.Fstsg,
        Mnemonic.Fnstdw, Mnemonic.Fnstsg, Mnemonic.Smint, Mnemonic.Rdshr, Mnemonic.Wrshr, Mnemonic.Storeall,
    ];

    private static readonly HashSet<Code> s_undefinedCodes = [Code.Popw_CS, Code.Mov_tr_r32, Code.Mov_r32_tr, Code.Cmpxchg486_rm8_r8, Code.Cmpxchg486_rm16_r16, Code.Cmpxchg486_rm32_r32];

    private static IEnumerable<OpCodeInfo> Announced(int bitness) => Enum.GetValues<Code>().Distinct().Select(code => code.ToOpCode()).Where(op => op.IsInstruction
        && (bitness == 64 ? op.Mode64 : op.Mode32) && op.Encoding is EncodingKind.Legacy or EncodingKind.VEX
        && Array.TrueForAll(op.Code.CpuidFeatures(), f => s_features.Contains(f) && Executors.Model.Allows(f))
        // FSTENV and the like are WAIT and another instruction.
        && !op.Fwait && !s_undefined.Contains(op.Mnemonic) && !s_undefinedCodes.Contains(op.Code));

    // Undefined in user mode, or where their operands make them so.
    private static bool MayBeUndefined(in Instruction instruction, int bitness) => instruction.Mnemonic is Mnemonic.Clac or Mnemonic.Stac
        || (instruction.Mnemonic == Mnemonic.Sysret && bitness == 32)
        || (instruction.Mnemonic == Mnemonic.Mov && instruction.Op0Kind == OpKind.Register && instruction.Op0Register == Register.CS);

    [Fact]
    public void All_features_that_models_can_announce_are_walked()
    {
        CpuModel least = CpuModel.Parse("qemu64");
        CpuidFeature[] forgotten = [.. Enum.GetValues<CpuidFeature>().Distinct().Where(f => Executors.Model.Allows(f) && !least.Allows(f) && !s_features.Contains(f))];
        Assert.Empty(forgotten);
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void Every_announced_encoding_has_semantics(int bitness)
    {
        string[] missing = [.. Announced(bitness).Where(op => X86Table.Handler(op.Mnemonic, op.Code) == 0).Select(op => $"{op.Code}: {op.ToInstructionString()}")];
        Assert.True(missing.Length == 0, $"{missing.Length} without semantics:\n{string.Join('\n', missing)}");
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void Every_announced_encoding_executes(int bitness)
    {
        using var rig = new EmulatedRig("interp");
        var outcome = new Outcome();
        var undefined = new List<string>();
        var never = new List<string>();
        int executed = 0;
        foreach (OpCodeInfo op in Announced(bitness))
        {
            var random = new Values((ulong)op.Code + 1);
            bool ran = false;
            for (int attempt = 0; attempt < 40 && !ran; attempt++)
            {
                var state = new StateGenerator(random, bitness == 32);
                var writer = new ItemWriter(random, state, bitness == 32);
                if (!writer.TryMake(op, out Item item) || item.Instruction.HasLockPrefix || (op.RequiresUniqueRegNums && !IsUnique(item.Instruction)))
                    continue;
                if (item.Label > 0)
                    item = item with { Label = 1 };
                var test = new TestCase
                {
                    Seed = (ulong)attempt, Compatibility = bitness == 32, Gpr = state.Gpr, Rflags = state.Rflags & ~0x4_0100UL, FsBase = state.FsBase, GsBase = state.GsBase,
                    Xsave = state.Xsave, Memory = state.Memory, Start = state.Start, Items = [item],
                };
                try
                {
                    test.Assemble();
                }
                catch (InvalidOperationException)
                {
                    continue;
                }
                ran = true;
                executed++;
                if (rig.Run(test, outcome) && outcome.Vector == 6 && outcome.Rip == test.Start && !MayBeUndefined(item.Instruction, bitness))
                    undefined.Add($"{op.Code}: {item.Instruction} ({op.ToInstructionString()})");
            }
            if (!ran && InstructionPool.WhyNot(op) is null && !InSequences(op))
                never.Add($"{op.Code}: {op.ToInstructionString()}");
        }
        Assert.True(undefined.Count == 0, $"{undefined.Count} are undefined:\n{string.Join('\n', undefined)}");
        Assert.True(never.Count == 0, $"{never.Count} were never executed:\n{string.Join('\n', never)}");
        // A walk that goes nowhere would find nothing.
        Assert.True(executed > (bitness == 64 ? 1400 : 1200), $"only {executed} executed");
    }

    private static bool InSequences(OpCodeInfo op) => Array.IndexOf(ItemWriter.InSequences, op.Code) >= 0;

    /// <summary>Everything in the table that the CPU announces is compared with the processor, or the fuzzer says why not.</summary>
    [TheoryIfNativeX86]
    [InlineData(32)]
    [InlineData(64)]
    public void Every_encoding_with_semantics_is_fuzzed_or_has_a_reason_not_to_be(int bitness)
    {
        var pool = new InstructionPool(Executors.Model.Allows);
        var generated = new HashSet<Code>((bitness == 64 ? pool.Codes64 : pool.Codes32).Select(op => op.Code));
        OpCodeInfo[] all = [.. Enum.GetValues<Code>().Distinct().Select(code => code.ToOpCode()).Where(op => op.IsInstruction
            && (bitness == 64 ? op.Mode64 : op.Mode32) && op.Encoding is EncodingKind.Legacy or EncodingKind.VEX
            && X86Table.Handler(op.Mnemonic, op.Code) != 0 && Array.TrueForAll(op.Code.CpuidFeatures(), Executors.Model.Allows))];
        string[] forgotten = [.. all.Where(op => !generated.Contains(op.Code) && !InSequences(op) && InstructionPool.WhyNot(op) is null)
            .Select(op => $"{op.Code}: {op.ToInstructionString()} ({string.Join(' ', op.Code.CpuidFeatures())})")];
        Assert.True(forgotten.Length == 0, $"{forgotten.Length} neither fuzzed nor left out for a reason:\n{string.Join('\n', forgotten)}");
        Assert.True(all.Count(op => generated.Contains(op.Code)) > (bitness == 64 ? 1500 : 1300), $"only {all.Count(op => generated.Contains(op.Code))} of {all.Length} are fuzzed");
    }

    /// <summary>What the pool names comes into cases: choosing an encoding again and again makes it sooner or later.</summary>
    [TheoryIfNativeX86]
    [InlineData(32)]
    [InlineData(64)]
    public void Every_encoding_of_the_pool_comes_into_cases(int bitness)
    {
        var pool = new InstructionPool(Executors.Model.Allows);
        var random = new Values(7);
        var missing = new List<string>();
        foreach (OpCodeInfo op in bitness == 64 ? pool.Codes64 : pool.Codes32)
        {
            bool found = false;
            for (int attempt = 0; attempt < 20 && !found; attempt++)
            {
                var writer = new ItemWriter(random, new StateGenerator(random, bitness == 32), bitness == 32);
                writer.Add(() => op);
                found = writer.Finish().Exists(item => item.Instruction.Code == op.Code);
            }
            if (!found)
                missing.Add($"{op.Code}: {op.ToInstructionString()}");
        }
        Assert.True(missing.Count == 0, $"{missing.Count} never come:\n{string.Join('\n', missing)}");
    }

    // Gathers want three different vector registers.
    private static bool IsUnique(in Instruction instruction)
    {
        int a = instruction.Op0Register.GetNumber(), b = instruction.MemoryIndex.GetNumber(), c = instruction.Op2Register.GetNumber();
        return a != b && a != c && b != c;
    }
}
