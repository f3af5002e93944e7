using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Myna.Cpu.X86;

/// <summary>x87 and vector registers as debuggers see them.</summary>
public sealed partial class X86Cpu
{
    /// <summary>A feature's own types (gdb manual, "Target Description Format").</summary>
    private static string Types(string feature) => feature switch
    {
        CoreFeature => "<flags id=\"eflags\" size=\"4\">" + Flag("CF", 0) + Flag("", 1) + Flag("PF", 2) + Flag("AF", 4) + Flag("ZF", 6) + Flag("SF", 7) + Flag("TF", 8) + Flag("IF", 9)
            + Flag("DF", 10) + Flag("OF", 11) + Flag("NT", 14) + Flag("RF", 16) + Flag("VM", 17) + Flag("AC", 18) + Flag("VIF", 19) + Flag("VIP", 20) + Flag("ID", 21) + "</flags>",
        SseFeature => "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/><vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
            + "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/><vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
            + "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
            + "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
            + "<flags id=\"mxcsr\" size=\"4\">" + Flag("IE", 0) + Flag("DE", 1) + Flag("ZE", 2) + Flag("OE", 3) + Flag("UE", 4) + Flag("PE", 5) + Flag("DAZ", 6) + Flag("IM", 7) + Flag("DM", 8)
            + Flag("ZM", 9) + Flag("OM", 10) + Flag("UM", 11) + Flag("PM", 12) + Flag("FZ", 15) + "</flags>",
        _ => "",
    };

    private static string Flag(string name, int bit) => $"<field name=\"{name}\" start=\"{bit}\" end=\"{bit}\"/>";

    private static string TypeName(CpuRegister r) => r.Number switch
    {
        RipNumber => "code_ptr",
        6 or 7 => "data_ptr",
        FlagsNumber => "eflags",
        MxcsrNumber => "mxcsr",
        >= FirstFpu and < FirstFpuControl => "i387_ext",
        >= FirstFpuControl and < FirstXmm => "int",
        >= FirstXmm and < MxcsrNumber => "vec128",
        _ => r.Bits switch { 128 => "uint128", 64 => "int64", _ => "int32" },
    };

    /// <inheritdoc/>
    public override bool TryReadRegister(int number, Span<byte> value)
    {
        ref X86Registers r = ref State;
        switch (number)
        {
            case >= FirstFpu and < FirstFpuControl:
                Vector128<ulong> st = r.X87[(DebugTop + number) & 7];
                BinaryPrimitives.WriteUInt64LittleEndian(value, st[0]);
                BinaryPrimitives.WriteUInt16LittleEndian(value[8..], (ushort)st[1]);
                return true;
            case >= FirstXmm and < MxcsrNumber:
                r.Vector[number - FirstXmm].CopyTo(value);
                return true;
            case >= FirstYmmHigh and < FirstYmmHigh + 16:
                r.Vector[16 + number - FirstYmmHigh].CopyTo(value);
                return true;
            default:
                return base.TryReadRegister(number, value);
        }
    }

    /// <inheritdoc/>
    public override bool TryWriteRegister(int number, ReadOnlySpan<byte> value)
    {
        ref X86Registers r = ref State;
        switch (number)
        {
            case >= FirstFpu and < FirstFpuControl:
                r.X87[(DebugTop + number) & 7] = Vector128.Create(BinaryPrimitives.ReadUInt64LittleEndian(value), BinaryPrimitives.ReadUInt16LittleEndian(value[8..]));
                return true;
            case >= FirstXmm and < MxcsrNumber:
                r.Vector[number - FirstXmm] = Vector128.Create(value);
                return true;
            case >= FirstYmmHigh and < FirstYmmHigh + 16:
                r.Vector[16 + number - FirstYmmHigh] = Vector128.Create(value);
                return true;
            default:
                return base.TryWriteRegister(number, value);
        }
    }

    private int DebugTop => State.X87Status >> 11 & 7;

    // fctrl, fstat, ftag, fiseg, fioff, foseg, fooff, fop.
    private ulong FpuControl(int index)
    {
        ref X86Registers r = ref State;
        return index switch
        {
            0 => r.X87Control,
            1 => r.X87Status,
            2 => FullTags(),
            3 => r.X87CodeSelector,
            4 => (uint)r.X87InstructionPointer,
            5 => r.X87DataSelector,
            6 => (uint)r.X87DataPointer,
            _ => r.X87Opcode,
        };
    }

    private bool SetFpuControl(int index, ulong value)
    {
        ref X86Registers r = ref State;
        switch (index)
        {
            case 0: r.X87Control = (ushort)value; break;
            case 1: r.X87Status = (ushort)value; break;
            case 2:
                r.X87Empty = 0;
                for (int i = 0; i < 8; i++)
                    r.X87Empty |= (byte)((value >> (i * 2) & 3) == 3 ? 1 << i : 0);
                break;
            case 3: r.X87CodeSelector = (ushort)value; break;
            case 4: r.X87InstructionPointer = (uint)value; break;
            case 5: r.X87DataSelector = (ushort)value; break;
            case 6: r.X87DataPointer = (uint)value; break;
            default: r.X87Opcode = (ushort)(value & 0x7FF); break;
        }
        UpdateFlags();
        return true;
    }

    /// <summary>The tag word with two bits a register (Intel SDM volume 1, section 8.1.7): 0 valid, 1 zero, 2 special, 3 empty.</summary>
    private uint FullTags()
    {
        ref X86Registers r = ref State;
        uint tags = 0;
        for (int i = 0; i < 8; i++)
        {
            Vector128<ulong> value = r.X87[i];
            uint exponent = (uint)value[1] & 0x7FFF;
            uint tag = (r.X87Empty >> i & 1) != 0 ? 3u : exponent == 0 && value[0] == 0 ? 1u : exponent is 0 or 0x7FFF || value[0] >> 63 == 0 ? 2u : 0;
            tags |= tag << (i * 2);
        }
        return tags;
    }
}
