using System.Text;

namespace Myna.Linux;

/// <summary>
/// Names, arguments and environment of a guest are bytes, not text. Inside Myna.Linux they are strings of one char per byte
/// (Latin-1), so that every byte comes back as it was.
/// </summary>
public static class GuestText
{
    public static string Decode(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    public static byte[] Encode(string text) => Encoding.Latin1.GetBytes(text);

    /// <summary>A .NET string (an option, a file name) as the guest's bytes.</summary>
    public static string FromHost(string text) => Decode(Encoding.UTF8.GetBytes(text));

    /// <summary>A guest's string for people and for .NET's file functions.</summary>
    public static string Show(string text) => Encoding.UTF8.GetString(Encode(text));

    /// <summary>The strings of /proc/self/cmdline or environ.</summary>
    public static List<string> Split(ReadOnlySpan<byte> bytes)
    {
        var all = new List<string>();
        while (!bytes.IsEmpty)
        {
            int end = bytes.IndexOf((byte)0);
            ReadOnlySpan<byte> one = end < 0 ? bytes : bytes[..end];
            all.Add(Decode(one));
            bytes = end < 0 ? default : bytes[(end + 1)..];
        }
        return all;
    }
}
