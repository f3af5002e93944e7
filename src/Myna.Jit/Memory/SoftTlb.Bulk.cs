using System.Runtime.CompilerServices;
using Myna.Hardware.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Memory;

/// <summary>Many bytes at once, for string instructions.</summary>
public sealed unsafe partial class SoftTlb
{
    /// <summary>
    /// Copies as ascending stores would, when both ranges lie inside pages that are cached, the destination's is not watched, and no
    /// source byte is written before it is read.
    /// </summary>
    public bool TryCopy(int mode, ulong destination, ulong source, int bytes)
    {
        if (!TryFindPlain(mode, destination, bytes, out byte* to))
            return false;
        Entry* e = _entries + Index(mode, source);
        if (e->Read != (source & ~PageMask) || !IsInside(source, bytes))
            return false;
        byte* from = (byte*)(source + e->Addend);
        // Two guest addresses can name the same memory: the host's decide.
        if (to > from && to < from + bytes)
            return false;
        // SAFETY: the tags say that both ranges lie in pages at these host addresses.
        Buffer.MemoryCopy(from, to, bytes, bytes);
        return true;
    }

    /// <summary>Fills with copies of the low bytes of a value, conditions as for <see cref="TryCopy"/>.</summary>
    /// <param name="bytes">A multiple of the element's size.</param>
    public bool TryFill(int mode, ulong destination, ulong value, MemSize element, int bytes)
    {
        if (!TryFindPlain(mode, destination, bytes, out byte* to))
            return false;
        // SAFETY: the tag says that the range lies in a page at this host address.
        switch (element)
        {
            case MemSize.B1:
                new Span<byte>(to, bytes).Fill((byte)value);
                break;
            case MemSize.B2:
                new Span<ushort>(to, bytes >> 1).Fill((ushort)value);
                break;
            case MemSize.B4:
                new Span<uint>(to, bytes >> 2).Fill((uint)value);
                break;
            default:
                new Span<ulong>(to, bytes >> 3).Fill(value);
                break;
        }
        return true;
    }

    // Writable, and nobody wants to know.
    private bool TryFindPlain(int mode, ulong va, int bytes, out byte* address)
    {
        Entry* e = _entries + Index(mode, va);
        address = (byte*)(va + e->Addend);
        return e->Write == (va & ~PageMask) && IsInside(va, bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsInside(ulong va, int bytes) => (va & PageMask) + (ulong)bytes <= Ram.PageSize;
}
