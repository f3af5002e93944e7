using System.Buffers.Binary;
using System.Text;
using Myna.Cpu.RiscV;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Runs when MYNA_RISCV_TESTS names a folder with the built official ISA tests (riscv-tests/isa).</summary>
public sealed class RiscvTestsFactAttribute : FactAttribute
{
    internal static readonly string? Folder = Environment.GetEnvironmentVariable("MYNA_RISCV_TESTS");

    public RiscvTestsFactAttribute()
    {
        if (string.IsNullOrEmpty(Folder))
            Skip = "MYNA_RISCV_TESTS does not name a folder with riscv-tests' programs";
    }
}

/// <summary>The official ISA test programs, physical (p) and virtual memory (v) environments.</summary>
public sealed class RiscvTestsTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private const ulong InstructionLimit = 20_000_000, Slice = 5_000;

    // RV64 user, machine and supervisor suites of what the hart implements.
    private static readonly string[] Suites =
        ["rv64ui", "rv64um", "rv64ua", "rv64uf", "rv64ud", "rv64uc", "rv64si", "rv64mi", "rv64uzba", "rv64uzbb", "rv64uzbc", "rv64uzbs", "rv64mzicbo", "rv64uzicond", "rv64ssvnapot"];

    [RiscvTestsFact]
    public void All_pass_under_the_interpreter() => RunAll(Mode.Interpreter);

    [RiscvTestsFact]
    public void All_pass_under_the_translator() => RunAll(Mode.Translator);

    [RiscvTestsFact]
    public void All_pass_under_the_counting_translator() => RunAll(Mode.CountingTranslator);

    private enum Mode { Interpreter, CountingTranslator, Translator }

    private void RunAll(Mode mode)
    {
        string only = Environment.GetEnvironmentVariable("MYNA_RISCV_TESTS_ONLY") ?? "";
        var failures = new List<string>();
        int passed = 0;
        foreach (string path in Directory.EnumerateFiles(RiscvTestsFactAttribute.Folder!).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(path);
            if (name.Contains('.') || !Suites.Contains(name.Split('-')[0]) || !name.Contains(only, StringComparison.Ordinal))
                continue;
            if (Run(File.ReadAllBytes(path), mode) is { } failure)
                failures.Add($"{name}: {failure}");
            else
                passed++;
        }
        Assert.True(failures.Count == 0, $"{failures.Count} of {failures.Count + passed} failed:\n{string.Join('\n', failures)}");
        Assert.True(passed > 0, "the folder holds no tests");
        output.WriteLine($"{passed} programs passed");
    }

    // null, or what went wrong.
    private static string? Run(byte[] elf, Mode mode)
    {
        var memory = new AddressSpace();
        using var ram = new Ram("ram", 16 << 20);
        memory.Map(0x8000_0000, ram);
        (ulong entry, ulong toHost) = Load(elf, memory);
        var clock = new ManualClock();
        using var hart = new Hart(new HartOptions { Memory = memory, Clock = clock, ResetVector = entry }) { BlocksWhileWaiting = false };
        var interpreter = new Interpreter(hart);
        hart.Stepper = interpreter;
        using HartTranslator? translator = mode != Mode.Interpreter ? new HartTranslator(memory, mode == Mode.CountingTranslator) : null;
        hart.Engine = translator?.CreateEngine(hart, interpreter) ?? interpreter;
        // Blocks that are linked to each other know no limit: somebody must ask for the exit.
        using Timer? kicker = mode == Mode.Translator ? new Timer(_ => hart.Kick(), null, 1, 1) : null;
        Span<byte> word = stackalloc byte[8];
        for (ulong done = 0; done < InstructionLimit; done += Slice)
        {
            if (hart.Run(Slice) == StopReason.Waiting)
                return "waits for ever";
            clock.Advance(Slice);
            memory.Read(toHost, word);
            ulong value = BinaryPrimitives.ReadUInt64LittleEndian(word);
            if ((value & 1) != 0)
                return value == 1 ? null : $"test {value >> 1} failed";
            if (value != 0)
                memory.Write(toHost, new byte[8]);
        }
        return $"no end; pc {hart.Pc:x}";
    }

    // ELF64: program headers and the symbol tohost (ELF specification, "Program Header", "Symbol Table").
    private static (ulong Entry, ulong ToHost) Load(ReadOnlySpan<byte> elf, AddressSpace memory)
    {
        ulong entry = U64(elf, 24), programs = U64(elf, 32), sections = U64(elf, 40), toHost = 0;
        for (int i = 0; i < U16(elf, 56); i++)
        {
            ReadOnlySpan<byte> p = elf[((int)programs + (i * U16(elf, 54)))..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(p) == 1)
                Assert.True(memory.Write(U64(p, 24), elf.Slice((int)U64(p, 8), (int)U64(p, 32))));
        }
        for (int i = 0; i < U16(elf, 60); i++)
        {
            ReadOnlySpan<byte> s = elf[((int)sections + (i * U16(elf, 58)))..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(s[4..]) != 2)
                continue;
            int link = (int)BinaryPrimitives.ReadUInt32LittleEndian(s[40..]);
            int strings = (int)U64(elf[((int)sections + (link * U16(elf, 58)))..], 24);
            for (int at = (int)U64(s, 24); at < (int)(U64(s, 24) + U64(s, 32)); at += 24)
            {
                ReadOnlySpan<byte> name = elf[(strings + (int)BinaryPrimitives.ReadUInt32LittleEndian(elf[at..]))..];
                if (Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)]) == "tohost")
                    toHost = U64(elf, at + 8);
            }
        }
        Assert.NotEqual(0UL, toHost);
        return (entry, toHost);
    }

    private static ulong U64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);
    private static int U16(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);
}
