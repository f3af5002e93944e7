using System.CommandLine;
using Myna.Machines;
using Myna.Machines.Guests;

namespace Myna.Cli.Commands;

/// <summary><c>myna guests</c>: the default guests, what the cache has of them, fetching them.</summary>
internal static class GuestsCommand
{
    public static Command Create()
    {
        var command = new Command("guests", "Lists the default guests in the cache; fetches them.");
        command.SetAction(_ => List());

        var arch = new Option<string>("--arch") { HelpName = "NAME", Description = "The guest's instruction set.", DefaultValueFactory = _ => Boards.Architectures[0] };
        var suite = new Option<string?>("--guest-suite") { HelpName = "NAME", Description = "The Debian suite it comes from." };
        var fetch = new Command("fetch", "Puts a guest into the cache and prints where its kernel and initramfs are.") { arch, suite };
        fetch.SetAction((result, cancellation) => FetchAsync(result.GetValue(arch)!, result.GetValue(suite), update: false, cancellation));
        var update = new Command("update", "Fetches the suite's newest kernel and busybox.") { arch, suite };
        update.SetAction((result, cancellation) => FetchAsync(result.GetValue(arch)!, result.GetValue(suite), update: true, cancellation));
        command.Subcommands.Add(fetch);
        command.Subcommands.Add(update);
        return command;
    }

    private static int List()
    {
        IReadOnlyList<Guest> guests = new GuestCache(GuestCache.DefaultRoot).List();
        foreach (Guest guest in guests)
            Output.Line($"{guest.Arch,-8} {guest.Suite,-9} Linux {guest.Manifest.Release}  ({guest.Directory})");
        if (guests.Count == 0)
            Output.Note("no guest is in the cache yet; 'myna run' or 'myna guests fetch' fetches one");
        return 0;
    }

    private static async Task<int> FetchAsync(string arch, string? suite, bool update, CancellationToken cancellation)
    {
        GuestRecipe recipe = GuestRecipe.For(Boards.Canonical(arch) ?? arch);
        var cache = new GuestCache(GuestCache.DefaultRoot);
        suite = recipe.CheckSuite(suite);
        Guest guest = update
            ? await cache.UpdateAsync(recipe, suite, new ConsoleProgress(), cancellation).ConfigureAwait(false)
            : await cache.GetAsync(recipe, suite, new ConsoleProgress(), cancellation).ConfigureAwait(false);
        Output.Line($"kernel {guest.Kernel}");
        Output.Line($"initrd {guest.Initrd}");
        return 0;
    }
}
