/** Colours of the materials of avatar.glb, as red, green and blue from 0 to 1 in linear light. Skin is a tint of its picture. */
export interface Look {
  id: string;
  name: string;
  skin: Rgb;
  hair: Rgb;
  suit: Rgb;
}

export type Rgb = readonly [red: number, green: number, blue: number];

const FIRST: Look = {
  id: "ada",
  name: "Ada",
  skin: [1, 1, 1],
  hair: [0.045, 0.027, 0.019],
  suit: [0.02, 0.035, 0.08],
};

/** One head, several people. */
export const LOOKS: readonly Look[] = [
  FIRST,
  { id: "ingrid", name: "Ingrid", skin: [1, 0.97, 0.95], hair: [0.34, 0.2, 0.085], suit: [0.012, 0.08, 0.075] },
  { id: "maeve", name: "Maeve", skin: [1, 0.93, 0.9], hair: [0.17, 0.045, 0.016], suit: [0.035, 0.05, 0.028] },
  { id: "zola", name: "Zola", skin: [0.33, 0.25, 0.22], hair: [0.008, 0.006, 0.006], suit: [0.5, 0.47, 0.4] },
  { id: "noor", name: "Noor", skin: [0.66, 0.55, 0.47], hair: [0.014, 0.009, 0.007], suit: [0.085, 0.012, 0.03] },
  { id: "ruth", name: "Ruth", skin: [0.96, 0.93, 0.91], hair: [0.4, 0.4, 0.41], suit: [0.035, 0.035, 0.04] },
];

export function lookOf(id: string): Look {
  return LOOKS.find((look) => look.id === id) ?? FIRST;
}

/** What is behind the avatar, in the colours of the page. */
export const BACKGROUNDS = [
  { id: "plain", name: "Plain", style: "bg-transparent" },
  { id: "mist", name: "Mist", style: "bg-linear-to-b from-accent-wash to-surface" },
  { id: "dawn", name: "Dawn", style: "bg-linear-to-b from-warn-wash to-surface" },
  { id: "stone", name: "Stone", style: "bg-linear-to-b from-raised to-line" },
] as const;

export function backgroundOf(id: string): string {
  return (BACKGROUNDS.find((one) => one.id === id) ?? BACKGROUNDS[0]).style;
}
