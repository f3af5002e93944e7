using System.Globalization;
using System.Text;

namespace Myna.Control.Gdb;

/// <summary>The encodings of gdb's remote protocol (gdb manual, "Overview" of appendix "gdb Remote Serial Protocol").</summary>
public static class GdbPackets
{
    const string Hex = "0123456789abcdef";

    /// <summary>A packet's bytes around its payload: $, payload with } escapes, #, two digits of checksum.</summary>
    public static byte[] Frame(ReadOnlySpan<byte> payload)
    {
        var bytes = new List<byte>(payload.Length + 4) { (byte)'$' };
        int sum = 0;
        foreach (byte b in payload)
        {
            if (b is (byte)'$' or (byte)'#' or (byte)'}' or (byte)'*')
            {
                Add((byte)'}');
                Add((byte)(b ^ 0x20));
            }
            else
            {
                Add(b);
            }
        }
        bytes.Add((byte)'#');
        bytes.Add((byte)Hex[sum >> 4 & 15]);
        bytes.Add((byte)Hex[sum & 15]);
        return [.. bytes];

        void Add(byte b)
        {
            bytes.Add(b);
            sum += b;
        }
    }

    public static string ToHex(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length * 2);
        foreach (byte b in bytes)
            text.Append(Hex[b >> 4]).Append(Hex[b & 15]);
        return text.ToString();
    }

    /// <summary>Reads pairs of digits that fill the span exactly.</summary>
    public static bool TryFromHex(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        if (text.Length != bytes.Length * 2)
            return false;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!byte.TryParse(text.Slice(i * 2, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[i]))
                return false;
        }
        return true;
    }

    /// <summary>Reads a number as the protocol writes addresses and lengths: hexadecimal, highest digit first.</summary>
    public static bool TryNumber(ReadOnlySpan<char> text, out ulong value) =>
        ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
}
