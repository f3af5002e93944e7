using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Decoding;

/// <summary>Instructions as assembly text in Intel's syntax, for traces and the monitor.</summary>
public static class X86Disassembler
{
    [ThreadStatic] private static IntelFormatter? s_formatter;

    /// <param name="code">The bytes that can be read, 15 are enough.</param>
    /// <param name="codeSize">B2, B4 or B8: 16, 32 or 64-bit code.</param>
    /// <param name="ip">The instruction pointer, which branch targets are relative to.</param>
    /// <param name="length">Bytes; 1 for bytes that are no instruction.</param>
    public static string Format(ReadOnlySpan<byte> code, MemSize codeSize, ulong ip, out int length)
    {
        Decoder decoder = Decoder.Create(8 << (int)codeSize, new ByteArrayCodeReader(code.ToArray()));
        decoder.IP = ip;
        decoder.Decode(out Instruction instruction);
        if (instruction.Code == Code.INVALID)
        {
            length = 1;
            return code.IsEmpty ? "?" : $"db 0x{code[0]:x2}";
        }
        length = instruction.Length;
        s_formatter ??= new IntelFormatter(new FormatterOptions
        {
            HexPrefix = "0x",
            HexSuffix = null,
            UppercaseHex = false,
            SmallHexNumbersInDecimal = true,
            SpaceAfterOperandSeparator = true,
            RipRelativeAddresses = false,
            BranchLeadingZeros = false,
        });
        var output = new StringOutput();
        s_formatter.Format(instruction, output);
        return output.ToString();
    }
}
