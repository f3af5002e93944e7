using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Decoding;

/// <summary>
/// Decoded instructions by physical page and code size. Stores to the pages, by whomever, undo what they change before the next
/// instruction executes. One thread decodes; stores are reported by any.
/// </summary>
internal sealed class X86CodeCache : ICodeListener
{
    private const int Ways = 1024;
    // After so many stores between two decodings a page is forgotten, so that stores to it become fast again.
    private const int MostWrites = 32;

    // Some 100 MiB; then everything is forgotten.
    private const int MostPages = 8192;

    private readonly X86Decoder _decoder;
    private readonly CodePages _pages;
    private readonly Dictionary<(nint, MemSize), Page> _all = [];
    private readonly Page?[] _recent = new Page?[Ways];

    public X86CodeCache(X86Decoder decoder, CodePages pages)
    {
        _decoder = decoder;
        _pages = pages;
        pages.Add(this);
    }

    /// <summary>Stores are heard of no more. The cache is not used again.</summary>
    public void Detach() => _pages.Remove(this);

    /// <summary>Instructions decoded, and stores that undid some.</summary>
    public ulong Decoded { get; private set; }
    public ulong Writes { get; private set; }

    /// <summary>One page's instructions.</summary>
    internal sealed class Page(CodePage code, MemSize size)
    {
        public readonly CodePage Code = code;
        public readonly MemSize Size = size;
        /// <summary>By offset: index of the instruction, 0 when it is not decoded.</summary>
        public readonly ushort[] Index = new ushort[Ram.PageSize];
        public Insn[] Instructions = new Insn[32];
        public int Count = 1;
        public int WritesSinceDecoding;
        /// <summary>Forgotten: nothing is decoded in it any more.</summary>
        public bool Dead;
    }

    /// <summary>The page's instructions, perhaps none yet.</summary>
    public Page Get(CodePage code, MemSize size)
    {
        ref Page? recent = ref _recent[Way(code, size)];
        if (recent is { Dead: false } page && page.Code == code && page.Size == size)
            return page;
        return recent = Find(code, size);
    }

    private static int Way(CodePage code, MemSize size) => (int)((code.Address >> Ram.PageBits) + ((int)size * 341)) & (Ways - 1);

    private Page Find(CodePage code, MemSize size)
    {
        lock (_pages.Sync)
        {
            if (_all.TryGetValue((code.Address, size), out Page? page))
                return page;
            if (_all.Count == MostPages)
                Clear();
            page = new Page(code, size);
            _all.Add((code.Address, size), page);
            return page;
        }
    }

    /// <summary>Decodes the instruction at an offset.</summary>
    /// <returns>False when that is not possible from the page alone: it straddles, is too long, or the page was forgotten.</returns>
    public bool Decode(Page page, int offset)
    {
        lock (_pages.Sync)
        {
            if (page.Dead)
                return false;
            // Watched before its bytes are read; it may have been forgotten by other listeners meanwhile.
            _pages.Watch(page.Code);
            ReadOnlySpan<byte> bytes = page.Code.Bytes[offset..];
            if (_decoder.Decode(bytes, page.Size, out Insn insn) != DecodeOutcome.Ok)
                return false;
            Decoded++;
            page.WritesSinceDecoding = 0;
            if (page.Count == page.Instructions.Length)
            {
                if (page.Count >= Ram.PageSize)
                {
                    // Code that changes again and again: start anew.
                    page.Index.AsSpan().Clear();
                    page.Count = 1;
                }
                else
                {
                    Array.Resize(ref page.Instructions, page.Count * 2);
                }
            }
            page.Instructions[page.Count] = insn;
            page.Index[offset] = (ushort)page.Count++;
            return true;
        }
    }

    /// <inheritdoc/>
    public bool Written(CodePage page, int offset, int length)
    {
        bool kept = Written(page, MemSize.B2, offset, length);
        kept |= Written(page, MemSize.B4, offset, length);
        kept |= Written(page, MemSize.B8, offset, length);
        return kept;
    }

    // Called with the lock held.
    private bool Written(CodePage code, MemSize size, int offset, int length)
    {
        if (!_all.TryGetValue((code.Address, size), out Page? page))
            return false;
        Writes++;
        if (++page.WritesSinceDecoding > MostWrites)
        {
            page.Dead = true;
            page.Index.AsSpan().Clear();
            _all.Remove((code.Address, size));
            return false;
        }
        int first = Math.Max(0, offset - (X86Decoder.MaxLength - 1));
        page.Index.AsSpan(first, offset + length - first).Clear();
        return true;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        lock (_pages.Sync)
        {
            foreach (Page page in _all.Values)
            {
                page.Dead = true;
                page.Index.AsSpan().Clear();
            }
            _all.Clear();
            _recent.AsSpan().Clear();
        }
    }
}
