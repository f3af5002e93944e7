using System.Runtime.CompilerServices;
using Myna.Jit.Memory;

namespace Myna.Jit.Engine;

/// <summary>One translated block.</summary>
internal struct Block
{
    public ulong Pc;
    public nint Page;
    public ulong Chunks;
    public uint Flags;
    /// <summary>Offsets in the code cache.</summary>
    public int Entry, RequestExit;
    /// <summary>Guest instructions.</summary>
    public int Length;
    public int NextInBucket, NextInPage, FirstLink;
    /// <summary>Of an entry that stands for the second page of a block: that block; otherwise -1.</summary>
    public int Main;
    public bool Valid;
}

/// <summary>A jump that was patched to go to a block.</summary>
internal struct Link
{
    /// <summary>Offsets in the code cache: the 4-byte displacement, and where it points when not linked.</summary>
    public int Site, Stub;
    public int Next;
}

/// <summary>
/// The blocks by (pc, page, flags) and by page. Changed under the engine's lock; <see cref="Find"/> may run at the same
/// time on other threads, because entries are never reused before all CPUs have left generated code.
/// </summary>
internal sealed class BlockTable
{
    private const int BucketBits = 18;
    private const int PageBucketBits = 13;

    private struct Page
    {
        public nint Address;
        public int First, Next;
        public ulong Chunks;
    }

    private readonly int[] _buckets = new int[1 << BucketBits];
    private readonly int[] _pageBuckets = new int[1 << PageBucketBits];
    private Page[] _pages = new Page[1024];
    private int _pageCount;

    public Block[] Blocks = new Block[4096];
    public Link[] Links = new Link[4096];
    private int _linkCount;

    public BlockTable() => Clear();

    public int Count { get; private set; }

    private readonly Stack<int> _released = new();

    public void Clear()
    {
        Count = 0;
        _released.Clear();
        _linkCount = 0;
        _pageCount = 0;
        _buckets.AsSpan().Fill(-1);
        _pageBuckets.AsSpan().Fill(-1);
    }

    private static int Bucket(ulong pc, nint page, uint flags)
    {
        ulong h = (pc >> 1) ^ ((ulong)page >> 12) * 0x9E37_79B9_7F4A_7C15 ^ flags * 0x85EB_CA6Bul;
        return (int)((h * 0x9E37_79B9_7F4A_7C15) >> (64 - BucketBits));
    }

    private static int PageBucket(nint page) => (int)(((ulong)page >> 12) * 0x9E37_79B9_7F4A_7C15 >> (64 - PageBucketBits));

    /// <summary>The block's index, or -1.</summary>
    public int Find(ulong pc, nint page, uint flags)
    {
        int i = Volatile.Read(ref _buckets[Bucket(pc, page, flags)]);
        Block[] blocks = Volatile.Read(ref Blocks);
        while (i >= 0)
        {
            ref Block b = ref blocks[i];
            if (b.Pc == pc && b.Page == page && b.Flags == flags && b.Valid)
                return i;
            i = b.NextInBucket;
        }
        return -1;
    }

    /// <summary>An index for a block, which <see cref="Add"/> may or may not put there.</summary>
    public int Reserve()
    {
        if (_released.TryPop(out int again))
            return again;
        if (Count == Blocks.Length)
        {
            Block[] larger = new Block[Blocks.Length * 2];
            Blocks.CopyTo(larger, 0);
            Volatile.Write(ref Blocks, larger);
        }
        Blocks[Count] = default;
        return Count++;
    }

    /// <summary>Takes back an index that was reserved, and for which nothing was added.</summary>
    public void Release(int index) => _released.Push(index);

    /// <param name="index">As reserved.</param>
    /// <param name="second">A page whose first piece the block was made of too.</param>
    public void Add(int index, in Block block, CodePage? second)
    {
        ref Block b = ref Blocks[index];
        b = block;
        b.Valid = true;
        b.FirstLink = b.Main = -1;
        ref int bucket = ref _buckets[Bucket(block.Pc, block.Page, block.Flags)];
        b.NextInBucket = bucket;
        ref Page page = ref FindPage(block.Page, create: true);
        b.NextInPage = page.First;
        page.First = index;
        page.Chunks |= block.Chunks;
        Volatile.Write(ref bucket, index);
        if (second is { } other)
            AddSecond(index, other);
    }

    // An entry in the second page's list alone.
    private void AddSecond(int main, CodePage other)
    {
        int index = Reserve();
        ref Page page = ref FindPage(other.Address, create: true);
        Blocks[index] = new Block { Page = other.Address, Chunks = 1, Main = main, NextInBucket = -1, FirstLink = -1, NextInPage = page.First };
        page.First = index;
        page.Chunks |= 1;
    }

    public void AddLink(int target, int site, int stub)
    {
        if (_linkCount == Links.Length)
            Array.Resize(ref Links, Links.Length * 2);
        ref Link link = ref Links[_linkCount];
        link.Site = site;
        link.Stub = stub;
        link.Next = Blocks[target].FirstLink;
        Blocks[target].FirstLink = _linkCount++;
    }

    private ref Page FindPage(nint address, bool create)
    {
        ref int bucket = ref _pageBuckets[PageBucket(address)];
        for (int i = bucket; i >= 0; i = _pages[i].Next)
        {
            if (_pages[i].Address == address)
                return ref _pages[i];
        }
        if (!create)
            return ref Unsafe.NullRef<Page>();
        if (_pageCount == _pages.Length)
            Array.Resize(ref _pages, _pages.Length * 2);
        ref Page page = ref _pages[_pageCount];
        page.Address = address;
        page.First = -1;
        page.Chunks = 0;
        page.Next = bucket;
        bucket = _pageCount++;
        return ref page;
    }

    /// <summary>The pieces of a page that blocks were made of.</summary>
    public ulong ChunksOf(nint address)
    {
        ref Page page = ref FindPage(address, create: false);
        return Unsafe.IsNullRef(ref page) ? 0 : page.Chunks;
    }

    /// <summary>
    /// Takes out the page's blocks that overlap the chunks, calling <paramref name="engine"/> for each.
    /// </summary>
    /// <returns>Whether the page has blocks left.</returns>
    public bool Invalidate(nint address, ulong chunks, JitEngine engine)
    {
        ref Page page = ref FindPage(address, create: false);
        if (Unsafe.IsNullRef(ref page))
            return false;
        if ((page.Chunks & chunks) != 0)
        {
            ulong left = 0;
            ref int link = ref page.First;
            while (link >= 0)
            {
                ref Block b = ref Blocks[link];
                if ((b.Chunks & chunks) == 0)
                {
                    left |= b.Chunks;
                    link = ref b.NextInPage;
                    continue;
                }
                int dead = link;
                link = b.NextInPage;
                if (b.Main >= 0)
                    dead = b.Main;
                // One of two pages may have been written before.
                if (Blocks[dead].Valid)
                {
                    Blocks[dead].Valid = false;
                    TakeOut(dead);
                    engine.Kill(dead);
                }
            }
            page.Chunks = left;
        }
        return page.First >= 0;
    }

    private void TakeOut(int index)
    {
        ref Block dead = ref Blocks[index];
        ref int link = ref _buckets[Bucket(dead.Pc, dead.Page, dead.Flags)];
        while (link >= 0 && link != index)
            link = ref Blocks[link].NextInBucket;
        // Readers on other threads may still stand on the dead block: its own next stays.
        if (link == index)
            Volatile.Write(ref link, dead.NextInBucket);
    }
}
