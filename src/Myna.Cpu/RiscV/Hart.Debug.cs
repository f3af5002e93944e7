using System.Globalization;
using System.Text;

namespace Myna.Cpu.RiscV;

/// <summary>What debuggers and the monitor see. Numbers and feature names are gdb's (gdb manual, "RISC-V Features").</summary>
public sealed partial class Hart
{
    private const int PcNumber = 32, FirstFloat = 33, FirstCsr = 65, PrivilegeNumber = 65 + 4096;
    private const string CpuFeature = "org.gnu.gdb.riscv.cpu", FpuFeature = "org.gnu.gdb.riscv.fpu",
        CsrFeature = "org.gnu.gdb.riscv.csr", VirtualFeature = "org.gnu.gdb.riscv.virtual";

    private static readonly string[] XNames =
    [
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
        "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    ];

    private static readonly string[] FNames =
    [
        "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7",
        "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
    ];

    private static readonly Lazy<CpuRegister[]> RegisterList = new(() =>
    [
        .. Enumerable.Range(0, 32).Select(i => new CpuRegister(i, XNames[i], 64, CpuFeature)),
        new CpuRegister(PcNumber, "pc", 64, CpuFeature),
        .. Enumerable.Range(0, 32).Select(i => new CpuRegister(FirstFloat + i, FNames[i], 64, FpuFeature)),
        .. CsrTable.Rows.Select(r => new CpuRegister(FirstCsr + r.Number, r.Name, r.Number <= 3 ? 32 : 64, r.Number <= 3 ? FpuFeature : CsrFeature)),
        new CpuRegister(PrivilegeNumber, "priv", 64, VirtualFeature),
    ]);

    // A program's: nothing of other privilege levels.
    private static readonly Lazy<CpuRegister[]> UserRegisterList = new(static () => [.. RegisterList.Value.Where(static r => r.Group is CpuFeature or FpuFeature)]);

    private static readonly Lazy<string> Description = new(static () => Describe(RegisterList.Value, "")),
        UserDescription = new(static () => Describe(UserRegisterList.Value, "<osabi>GNU/Linux</osabi>"));

    private static string Describe(CpuRegister[] registers, string abi)
    {
        var text = new StringBuilder("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\"><architecture>riscv:rv64</architecture>" + abi);
        foreach (IGrouping<string, CpuRegister> feature in registers.GroupBy(r => r.Group))
        {
            text.Append(CultureInfo.InvariantCulture, $"<feature name=\"{feature.Key}\">");
            foreach (CpuRegister r in feature)
            {
                string type = r.Number == PcNumber ? "code_ptr" : r.Number is >= FirstFloat and < FirstCsr ? "ieee_double" : r.Number == 2 ? "data_ptr" : "int";
                text.Append(CultureInfo.InvariantCulture, $"<reg name=\"{r.Name}\" bitsize=\"{r.Bits}\" regnum=\"{r.Number}\" type=\"{type}\"{(r.Number >= FirstCsr ? " save-restore=\"no\"" : "")}/>");
            }
            text.Append("</feature>");
        }
        return text.Append("</target>").ToString();
    }

    /// <inheritdoc/>
    public override ulong Pc
    {
        get => Block.Context.Pc;
        set => Block.Context.Pc = value & ~1UL;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<CpuRegister> Registers => IsUser ? UserRegisterList.Value : RegisterList.Value;

    /// <inheritdoc/>
    public override string TargetDescription => IsUser ? UserDescription.Value : Description.Value;

    /// <inheritdoc/>
    public override bool TryReadRegister(int number, out ulong value)
    {
        value = 0;
        switch (number)
        {
            case >= 0 and < PcNumber:
                value = Registers64.X[number];
                return true;
            case PcNumber:
                value = Pc;
                return true;
            case >= FirstFloat and < FirstCsr:
                value = Registers64.F[number - FirstFloat];
                return true;
            case PrivilegeNumber:
                value = (ulong)_privilege;
                return true;
            default:
                if (CsrTable.Find(number - FirstCsr) is not { } row)
                    return false;
                value = ReadCsr((CsrNumber)row.Number);
                return true;
        }
    }

    /// <inheritdoc/>
    public override bool TryWriteRegister(int number, ulong value)
    {
        switch (number)
        {
            case 0:
                return false;
            case > 0 and < PcNumber:
                Registers64.X[number] = value;
                return true;
            case PcNumber:
                Pc = value;
                return true;
            case >= FirstFloat and < FirstCsr:
                Registers64.F[number - FirstFloat] = value;
                MarkFloatDirty();
                return true;
            case PrivilegeNumber:
                if (value is not (0 or 1 or 3))
                    return false;
                _privilege = (PrivilegeLevel)value;
                UpdateMode();
                CheckInterrupts();
                return true;
            default:
                if (CsrTable.Find(number - FirstCsr) is not { ReadOnly: false } row)
                    return false;
                var csr = (CsrNumber)row.Number;
                if (csr is CsrNumber.Mip or CsrNumber.Sip)
                    WritePending(csr, CsrOp.Write, value);
                else
                    WriteCsr(csr, ReadCsr(csr) & ~row.Writable | value & row.Writable);
                return true;
        }
    }

    /// <inheritdoc/>
    public override bool TryTranslate(ulong va, out ulong physical)
        => Translate(va, _dataMode, PageRightsForDebug, debug: true, out physical, out _, out _) == Walk.Ok;

    private const Jit.Memory.PageRights PageRightsForDebug = Jit.Memory.PageRights.Read;
}
