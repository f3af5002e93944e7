using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Myna.Cpu;

namespace Myna.Control.Monitor;

/// <summary>Reads bytes at an address; false when part of the range is not memory.</summary>
public delegate bool MemoryReader(ulong address, Span<byte> bytes);

/// <summary>The x command: <c>x/COUNT FORMAT SIZE</c>, as gdb and QEMU's monitor know it.</summary>
internal static class MemoryDump
{
    const int MaximumCount = 65536, LineBytes = 16;

    /// <param name="format">Without the slash: a count, one of x d u o t c i, and a size b h w g, each optional.</param>
    /// <param name="disassembler">For format i; null when addresses are physical.</param>
    /// <exception cref="MonitorException">The format is none, or the memory cannot be read.</exception>
    public static string Format(string format, ulong address, MemoryReader read, VirtualCpu? disassembler)
    {
        int digits = 0;
        while (digits < format.Length && char.IsAsciiDigit(format[digits]))
            digits++;
        int count = 1;
        if (digits != 0 && !int.TryParse(format.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > MaximumCount)
            throw new MonitorException($"the count must be from 1 to {MaximumCount}");
        char kind = 'x';
        int size = 4;
        foreach (char c in format.AsSpan(digits))
        {
            if ("xduotci".Contains(c, StringComparison.Ordinal))
                kind = c;
            else if ("bhwg".Contains(c, StringComparison.Ordinal))
                size = c switch { 'b' => 1, 'h' => 2, 'w' => 4, _ => 8 };
            else
                throw new MonitorException($"'{c}' is neither a format (x d u o t c i) nor a size (b h w g)");
        }
        if (kind == 'i')
            return Code(count, address, disassembler ?? throw new MonitorException("instructions are shown at virtual addresses: use x"));
        return Data(kind, kind == 'c' ? 1 : size, count, address, read);
    }

    static string Code(int count, ulong address, VirtualCpu cpu)
    {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++)
        {
            if (!cpu.TryDisassemble(address, out string instruction, out int length))
            {
                text.Append(CultureInfo.InvariantCulture, $"{address:x16}: cannot be read\n");
                break;
            }
            text.Append(CultureInfo.InvariantCulture, $"{(address == cpu.Pc ? "=> " : "   ")}{address:x16}: {instruction}\n");
            address += (ulong)length;
        }
        return text.ToString();
    }

    static string Data(char kind, int size, int count, ulong address, MemoryReader read)
    {
        var text = new StringBuilder();
        Span<byte> bytes = stackalloc byte[8];
        int perLine = kind == 't' ? Math.Max(1, LineBytes / size / 4) : LineBytes / size;
        for (int i = 0; i < count; i++, address += (ulong)size)
        {
            if (i % perLine == 0)
                text.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : "\n")}{address:x16}:");
            bytes.Clear();
            if (!read(address, bytes[..size]))
            {
                text.Append(" cannot be read");
                break;
            }
            text.Append(' ').Append(Value(kind, size, BinaryPrimitives.ReadUInt64LittleEndian(bytes)));
        }
        return text.Append('\n').ToString();
    }

    static string Value(char kind, int size, ulong value)
    {
        long signed = size switch { 1 => (sbyte)value, 2 => (short)value, 4 => (int)value, _ => (long)value };
        return kind switch
        {
            'd' => signed.ToString(CultureInfo.InvariantCulture),
            'u' => value.ToString(CultureInfo.InvariantCulture),
            'o' => "0" + Convert.ToString((long)value, 8),
            't' => Convert.ToString((long)value, 2).PadLeft(size * 8, '0'),
            'c' => value is >= 32 and < 127 ? $"'{(char)value}'" : $"'\\x{value:x2}'",
            _ => "0x" + value.ToString("x", CultureInfo.InvariantCulture).PadLeft(size * 2, '0'),
        };
    }
}
