using Myna.Linux.Memory;

namespace Myna.Linux.Tests.Memory;

public sealed class RegionListTests
{
    private const ulong Page = 4096;

    /// <summary>Against one entry per page.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_changes_give_what_an_array_of_pages_gives(int seed)
    {
        const int pages = 64;
        var random = new Random(seed);
        var list = new RegionList();
        var model = new Protection?[pages];
        for (int step = 0; step < 2000; step++)
        {
            int start = random.Next(pages), end = random.Next(start + 1, pages + 1);
            var rights = (Protection)random.Next(8);
            switch (random.Next(3))
            {
                case 0:
                    list.Set(new Region((ulong)start * Page, (ulong)end * Page, rights, false));
                    Array.Fill(model, rights, start, end - start);
                    break;
                case 1:
                    list.Remove((ulong)start * Page, (ulong)end * Page);
                    Array.Fill(model, null, start, end - start);
                    break;
                default:
                    list.Protect((ulong)start * Page, (ulong)end * Page, rights);
                    for (int i = start; i < end; i++)
                        model[i] = model[i] is null ? null : rights;
                    break;
            }
            Compare(list, model);
            ulong length = (ulong)random.Next(1, 20);
            Assert.Equal(ModelGap(model, (int)length), list.HighestGap(0, pages * Page, length * Page, Page));
        }
    }

    private static void Compare(RegionList list, Protection?[] model)
    {
        ulong total = 0;
        for (int i = 0; i < model.Length; i++)
        {
            bool found = list.TryFind((ulong)i * Page + 123, out Region region);
            Assert.Equal(model[i] is not null, found);
            if (found)
            {
                Assert.Equal(model[i], region.Rights);
                total += Page;
            }
        }
        Assert.Equal(total, list.Total);
        for (int i = 1; i < list.Count; i++)
        {
            Assert.True(list[i - 1].End <= list[i].Start);
            Assert.False(list[i - 1].End == list[i].Start && list[i - 1].Rights == list[i].Rights, "neighbours of one kind were not merged");
        }
    }

    // 0 stands for none: page 0 is then not told apart from it, as guests never get page 0.
    private static ulong ModelGap(Protection?[] model, int length)
    {
        for (int start = model.Length - length; start >= 0; start--)
        {
            if (model.AsSpan(start, length).IndexOfAnyExcept((Protection?)null) < 0)
                return (ulong)start * Page;
        }
        return 0;
    }
}
