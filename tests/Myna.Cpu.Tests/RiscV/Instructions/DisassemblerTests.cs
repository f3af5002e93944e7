using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

/// <summary>Decoding and disassembly against binutils, which knows the encodings from elsewhere.</summary>
public partial class DisassemblerTests
{
    private const string Architecture = "rv64gc_zicsr_zifencei_zba_zbb_zbs_zbc_zicbom_zicboz_zicbop_zihintpause_zawrs_svinval";

    [ObjdumpFact]
    public void Agrees_with_objdump_on_random_encodings_of_every_row()
    {
        Random random = new(3);
        List<Fields> samples = [];
        foreach (InstructionRow row in InstructionTable.Rows[1..])
        {
            // Binutils 2.40 does not know these.
            if (row.Extension is Extension.Zicond or Extension.Zihintntl)
                continue;
            for (int i = 0, found = 0; i < 400 && found < 20; i++)
            {
                uint raw = ((uint)random.NextInt64(1L << 32) & ~row.Mask) | row.Match;
                // Those that exist, and custom ones: the names of others differ between versions of binutils.
                if (row.Extension == Extension.Zicsr)
                    raw = (raw & 0x000FFFFF) | (uint)(found % 4 == 0 ? 0x800 + i : CsrTable.Rows[random.Next(CsrTable.Rows.Count)].Number) << 20;
                Fields f = InstructionTable.Decode(row.Length == 2 ? raw & 0xFFFF : raw);
                if (f.Op != row.Op || IsHint(in f))
                    continue;
                found++;
                samples.Add(f);
            }
        }
        string folder = Directory.CreateTempSubdirectory("myna-disassembler").FullName;
        try
        {
            StringBuilder source = new();
            foreach (Fields f in samples)
                source.Append($".insn {f.Length}, 0x{f.Raw:x}\n");
            File.WriteAllText(Path.Combine(folder, "t.s"), source.ToString());
            string listing;
            Run(folder, "riscv64-linux-gnu-as", "-mno-relax", "-march=" + Architecture, "t.s", "-o", "t.o");
            listing = Run(folder, "riscv64-linux-gnu-objdump", "-d", "-M", "no-aliases", "t.o");
            List<string> differences = [];
            int at = 0;
            foreach (Match m in Line().Matches(listing))
            {
                Fields f = samples[at++];
                ulong pc = Convert.ToUInt64(m.Groups[1].Value, 16);
                string expected = Normalise(Symbol().Replace(m.Groups[3].Value, ""));
                string actual = Normalise(Disassembler.Format(in f, pc));
                if (expected != actual)
                    differences.Add($"{f.Raw:x8} {f.Op}: objdump '{expected}', here '{actual}'");
            }
            Assert.Equal(samples.Count, at);
            Assert.True(differences.Count == 0, string.Join('\n', differences.Take(60)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(0x00C58533u, "add a0, a1, a2")]
    [InlineData(0x100525AFu, "lr.w a1, (a0)")]
    [InlineData(0x02C5F553u, "fadd.d fa0, fa1, fa2")]
    [InlineData(0x02C59553u, "fadd.d fa0, fa1, fa2, rtz")]
    [InlineData(0x0FF0000Fu, "fence iorw,iorw")]
    [InlineData(0x0EC5D533u, "czero.eqz a0, a1, a2")]
    [InlineData(0x00000000u, ".2byte 0x0000")]
    public void Formats(uint raw, string text) => Assert.Equal(text, Disassembler.Format(raw, 0));

    // Hints print as their base instruction here and in several ways there.
    private static bool IsHint(in Fields f) => f.Op switch
    {
        Opcode.CNop => true,
        // Binutils 2.40 takes these with rm = 0 only.
        Opcode.FcvtDW or Opcode.FcvtDWu or Opcode.FcvtDS => f.Rm != 0,
        Opcode.CAddi => f.Imm == 0,
        Opcode.CLi or Opcode.CLui or Opcode.CMv or Opcode.CAdd => f.Rd == 0,
        Opcode.CSlli => f.Rd == 0 || f.Imm == 0,
        Opcode.CSrli or Opcode.CSrai => f.Imm == 0,
        Opcode.Fence => f.Imm >> 8 != 0 || f.Rd != 0 || f.Rs1 != 0,
        Opcode.FenceI => f.Raw != 0x100F,
        _ => false,
    };

    private static string Normalise(string text)
    {
        text = Regex.Replace(text.Trim(), @"\s+#.*$", "");
        text = Regex.Replace(text, @"\s*,\s*", ",");
        text = Regex.Replace(text, @"\s+", " ");
        // CSR names and 64-bit targets are a matter of taste.
        return Regex.Replace(text, @"0x(?=[0-9a-f]+$)", "");
    }

    private static string Run(string folder, string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output;
    }

    [GeneratedRegex(@"^\s*([0-9a-f]+):\t([0-9a-f ]+)\t(.*)$", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex(@"\s*<[^>]*>")]
    private static partial Regex Symbol();
}

/// <summary>Runs where the cross binutils are installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ObjdumpFactAttribute : FactAttribute
{
    public ObjdumpFactAttribute()
    {
        string[] path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (!path.Any(p => File.Exists(Path.Combine(p, "riscv64-linux-gnu-objdump"))))
            Skip = "riscv64-linux-gnu-objdump is not installed (package binutils-riscv64-linux-gnu)";
    }
}
