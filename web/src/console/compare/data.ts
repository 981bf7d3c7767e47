import { useQuery } from "@tanstack/react-query";
import { answered, api } from "@/api/client";
import type { components } from "@/api/schema";

type Shapes = components["schemas"];

export type Comparison = Shapes["CompareView"];
export type Pair = Shapes["PairView"];
export type Side = Shapes["SideView"];
export type Stretch = Shapes["StretchView"];
export type OfSession = Shapes["OfSession"];
export type Figure = Shapes["FigureView"];
export type Setting = Shapes["SettingView"];

/** Two calls, as the API compares them. */
export function useComparison(first: string, second: string) {
  return useQuery({
    queryKey: ["compare", first, second],
    queryFn: ({ signal }) => answered(api.GET("/v1/compare", { params: { query: { a: first, b: second } }, signal })),
    enabled: first !== "" && second !== "",
    retry: false,
  });
}
